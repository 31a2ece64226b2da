"""A run in a process of its own, to be killed or to be one of many: `training_child.py FOLDER SETTINGS`."""

import sys
from pathlib import Path

import torch
from training_samples import SampleStream

from aiatrack.config.training import TrainingSettings
from aiatrack.training import MetricsJournal, Surroundings, TrainingRun, build_initial_network


def main(folder: Path, settings: TrainingSettings) -> None:
    torch.set_num_threads(1)
    around = Surroundings(
        SampleStream(batch_size=settings.batch_size), observers=[MetricsJournal(folder / "metrics.jsonl")]
    )
    run = TrainingRun(settings, build_initial_network(settings), folder, around)
    run.resume()
    run.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), TrainingSettings.model_validate_json(sys.argv[2]))
