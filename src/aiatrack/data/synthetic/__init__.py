"""The synthetic world: a seeded renderer of short films with exact ground truth. NumPy and OpenCV only."""

from aiatrack.data.synthetic.settings import SyntheticWorldSettings, random_world_settings
from aiatrack.data.synthetic.world import SyntheticFrame, SyntheticWorld

__all__ = ["SyntheticFrame", "SyntheticWorld", "SyntheticWorldSettings", "random_world_settings"]
