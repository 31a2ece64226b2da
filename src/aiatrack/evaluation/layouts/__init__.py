"""One reader for each way in which benchmarks lie on disk."""

from aiatrack.evaluation.layouts.coco import CocoLayout
from aiatrack.evaluation.layouts.davis import DavisLayout
from aiatrack.evaluation.layouts.flat import FlatLayout
from aiatrack.evaluation.layouts.folders import FolderLayout, Tnl2kLayout
from aiatrack.evaluation.layouts.got10k import Got10kLayout
from aiatrack.evaluation.layouts.lasot import LasotLayout
from aiatrack.evaluation.layouts.layout import Layout
from aiatrack.evaluation.layouts.mot import MotLayout
from aiatrack.evaluation.layouts.numbered import NfsLayout, OtbLayout, UavLayout
from aiatrack.evaluation.layouts.trackingnet import TrackingNetLayout
from aiatrack.evaluation.layouts.vot import VotLayout

LAYOUTS: dict[str, Layout] = {
    "otb": OtbLayout(),
    "uav": UavLayout(),
    "nfs": NfsLayout(),
    "lasot": LasotLayout(),
    "got10k": Got10kLayout(),
    "trackingnet": TrackingNetLayout(),
    "tnl2k": Tnl2kLayout(),
    "vot": VotLayout(),
    "davis": DavisLayout(),
    "folders": FolderLayout(),
    "coco": CocoLayout(),
    "mot": MotLayout(),
}
"""Readers by the name that benchmark descriptions use."""

__all__ = ["LAYOUTS", "FlatLayout", "Layout"]
