"""The names that a user may rely on, and what importing them costs."""

import subprocess
import sys

import pytest

import aiatrack

NAMES = {
    "AiATrackError",
    "MultiTracker",
    "OpenCVTracker",
    "TrackResult",
    "Tracker",
    "TrackingSettings",
    "__version__",
    "load_multi_tracker",
    "load_tracker",
    "open_frames",
    "track",
    "track_many",
}


def test_names():
    assert set(aiatrack.__all__) == NAMES
    assert aiatrack.__all__ == dir(aiatrack) == sorted(NAMES)
    for name in NAMES:
        assert getattr(aiatrack, name) is not None


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'follow'"):
        aiatrack.follow  # noqa: B018


@pytest.mark.parametrize(
    "room", ["api", "boxes", "config", "errors", "evaluation", "integrations", "tracking", "video"]
)
def test_rooms_need_no_import_of_their_own(room):
    program = f"import aiatrack; print(aiatrack.{room}.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"aiatrack.{room}"


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_name_is_explained(name):
    assert getattr(aiatrack, name).__doc__.strip()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("aiatrack", ("torch", "av", "cv2", "numpy", "pydantic")),
        ("aiatrack.cli.main", ("torch", "av", "torchvision", "tkinter")),
        ("aiatrack.video", ("torch",)),
        ("aiatrack.tracking", ("torch", "av")),
    ],
)
def test_import_stays_light(module, heavy):
    program = f"import {module}, sys; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
