"""Losses, one step, the loop, resume."""

from aiatrack.training.changes import TrainingWarning
from aiatrack.training.checkpoints import CheckpointFolder, load_checkpoint
from aiatrack.training.ema import AveragedNetwork
from aiatrack.training.initialization import build_initial_network
from aiatrack.training.loop import RunSummary, TrainingRun
from aiatrack.training.losses import LossReport, giou_loss, iou_loss, l1_loss, weighted_losses
from aiatrack.training.objective import TrackingObjective
from aiatrack.training.observers import MetricsJournal, Observer, TensorBoardLog
from aiatrack.training.plan import PlanProgress, TrainingPlan, plan_training
from aiatrack.training.surroundings import BatchStream, CorpusStream, PictureWriter, Surroundings, Validation

__all__ = [
    "AveragedNetwork",
    "BatchStream",
    "CheckpointFolder",
    "CorpusStream",
    "LossReport",
    "MetricsJournal",
    "Observer",
    "PictureWriter",
    "PlanProgress",
    "RunSummary",
    "Surroundings",
    "TensorBoardLog",
    "TrackingObjective",
    "TrainingPlan",
    "TrainingRun",
    "TrainingWarning",
    "Validation",
    "build_initial_network",
    "giou_loss",
    "iou_loss",
    "l1_loss",
    "load_checkpoint",
    "plan_training",
    "weighted_losses",
]
