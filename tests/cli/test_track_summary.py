"""What is said and named where a run is stopped at an awkward moment, or an address holds a password."""

import time
from pathlib import Path

import pytest
from cli_inputs import BOX

from aiatrack.cli import track_run
from aiatrack.cli.track_outputs import default_output


def test_stopped_before_the_second_frame_was_timed(track, here, film, monkeypatch):
    class StoppedClock:
        """Ctrl-C comes as the time of the second frame is taken."""

        readings = 0

        @classmethod
        def perf_counter(cls):
            cls.readings += 1
            if cls.readings == 2:
                raise KeyboardInterrupt
            return time.perf_counter()

    monkeypatch.setattr(track_run, "time", StoppedClock)
    outcome = track(film, "--box", BOX, "--save-boxes", "boxes.csv")
    assert outcome.code == 130
    assert outcome.out.startswith("stopped: 2 frames, mean predicted overlap ")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://admin:pa[ss@host/yard", "yard.tracked.mp4"),
        ("rtsp://admin:se#cret@host/yard", "yard.tracked.mp4"),
        ("rtsp://admin:se/cret@host", "tracked.mp4"),
        ("rtsp://[::1/stream", "tracked.mp4"),
    ],
)
def test_outputs_are_not_named_after_passwords(address, name):
    assert default_output(address) == Path(name)
