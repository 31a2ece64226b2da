"""A network that says what a script tells it, and a tracker that follows it."""

from dataclasses import dataclass, field

import numpy as np
from numbered_handle import Handle

from aiatrack.config import TrackingSettings
from aiatrack.tracking import LocatedTargets, Tracker

SIZE = 32
FRAME = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
BOX = (70.0, 50.0, 20.0, 20.0)
CENTRED = (0.4, 0.4, 0.2, 0.2)
# Presence is the score as it is, a logit: nothing carried, so that scripts are easy to follow.
PLAIN = "bias: 0\nweights: {score: 1.0}\n"


class AlikeHandle(Handle):
    """Shows the same thing whatever its number."""

    @property
    def embedding(self):
        return np.array([[1.0, 0.0]], np.float32)


@dataclass
class ScriptedNetwork:
    """Says for each frame what it sees in each region, the last entry in all further ones."""

    script: list = field(default_factory=list)
    crop_size: int = SIZE
    windows: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    remembered: int = 0

    def encode(self, crops, padding):
        raise AssertionError("it cuts for itself")

    def encode_regions(self, frame, windows, color):
        self.windows.append(windows)
        return windows

    def remember(self, memory, rows, boxes_xywh):
        self.remembered += len(rows)
        return [AlikeHandle(self.remembered + row) for row in rows]

    def locate(self, search, references):
        self.asked.append(references)
        seen = self.script.pop(0)
        seen = [seen[min(row, len(seen) - 1)] for row in range(len(references))]
        return LocatedTargets(
            np.array([box for box, _ in seen], np.float32),
            np.array([score for _, score in seen], np.float32),
            np.zeros((len(seen), 2, 2, 2), np.float32),
            np.ones((len(seen), 1, 2), np.float32),
        )


def follow_script(folder, script, calibration=PLAIN, **settings):
    """Start a tracker on a script; returns its results and the network. The calibration goes to `folder`."""
    (folder / "plain.yaml").write_text(calibration)
    network = ScriptedNetwork(list(script))
    chosen = {
        "min_score_to_remember": 0.0, "frames_to_lose": 2, "search_factor": 4.0, "frames_to_suspect": 0,
        "max_presence_to_lose": 0.08,
    } | settings  # fmt: skip
    tracker = Tracker(
        network,
        TrackingSettings(calibration=str(folder / "plain.yaml"), **({"presence": "on"} | chosen)),
    )
    tracker.start(FRAME, BOX)
    return [tracker.update(FRAME) for _ in script], network
