"""The files of a VOT workspace and the conversation with the toolkit, without the toolkit itself."""

import configparser
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from vot_oracle import Oracle, write_sequences

from aiatrack.cli.vot import _absolute
from aiatrack.errors import DataError, MissingExtraError, SettingsError, TrackingError
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.running.imported_trackers import ImportedTracker
from aiatrack.integrations.vot import serve_tracker
from aiatrack.integrations.vot_workspace import select_anchors, write_workspace


def test_a_workspace_holds_sequences_experiments_and_trackers(tmp_path: Path) -> None:
    benchmark = open_benchmark("folders", write_sequences(tmp_path / "clips", [6, 4]))
    command = ["/opt/my python", "-m", "aiatrack", "vot", "--model", "100%.safetensors"]
    write_workspace(tmp_path / "ws", {"mine": command}, benchmark=benchmark)
    config = yaml.safe_load((tmp_path / "ws" / "config.yaml").read_text())
    assert config == {"registry": ["./trackers.ini"], "stack": "stack.yaml"}
    stack = yaml.safe_load((tmp_path / "ws" / "stack.yaml").read_text())
    assert {experiment["type"] for experiment in stack["experiments"].values()} == {
        "unsupervised",
        "multistart",
    }
    assert (tmp_path / "ws" / "sequences" / "list.txt").read_text() == "s0\ns1\n"
    sequence = tmp_path / "ws" / "sequences" / "s1"
    assert "channels.color=color/%08d.png\nlength=4\n" in (sequence / "sequence").read_text()
    frames = sorted((sequence / "color").iterdir())
    assert [path.name for path in frames] == [f"{number:08d}.png" for number in range(1, 5)]
    assert [path.resolve().name for path in frames] == [f"{number:04d}.png" for number in range(4)]
    ini = configparser.ConfigParser()
    ini.read(tmp_path / "ws" / "trackers.ini")
    assert ini["mine"]["protocol"] == "trax"
    assert shlex.split(ini["mine"]["command"]) == command


def test_absent_targets_are_no_boxes_and_no_starts(tmp_path: Path) -> None:
    root = write_sequences(tmp_path / "clips", [4])
    (root / "s0" / "groundtruth.txt").write_text("5,7,20,30\nnan,nan,nan,nan\n7,8,22,28\nnan,nan,nan,nan\n")
    write_workspace(tmp_path / "ws", {}, benchmark=open_benchmark("folders", root))
    sequence = tmp_path / "ws" / "sequences" / "s0"
    assert (sequence / "groundtruth.txt").read_text().split("\n")[1] == "nan,nan,nan,nan"
    assert (sequence / "anchor.value").read_text() == "1\n0\n-1\n0\n"


@pytest.mark.parametrize(
    ("visible", "spacing", "anchors"),
    [
        ([1] * 7, 3, {0: 1, 3: -1, 6: -1}),
        ([1] * 8, 3, {0: 1, 3: 1, 6: -1, 7: -1}),
        ([0, 1, 1, 1, 1, 1, 1], 3, {1: 1, 3: -1, 6: -1}),
        ([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0], 5, {0: 1, 4: -1}),
        ([0] * 6, 2, {}),
        ([1, 1], 50, {0: 1, 1: -1}),
    ],
)
def test_anchors_worked_by_hand(visible: list[int], spacing: int, anchors: dict[int, int]) -> None:
    found = select_anchors(np.array(visible, bool), spacing)
    assert {index: way for index, way in enumerate(found) if way} == anchors
    assert len(found) == len(visible)


def test_a_challenge_of_the_toolkit_needs_no_sequences(tmp_path: Path) -> None:
    write_workspace(tmp_path, {"mine": ["track"]}, stack="vot2022/shorttermbox")
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["stack"] == "vot2022/shorttermbox"
    assert not (tmp_path / "sequences").exists()


def test_neither_or_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="either"):
        write_workspace(tmp_path, {})


def test_frames_that_do_not_fit_are_named(tmp_path: Path) -> None:
    root = write_sequences(tmp_path / "clips", [4])
    (root / "s0" / "img" / "0003.png").unlink()
    with pytest.raises(DataError, match=r"s0: .* got 3 frames"):
        write_workspace(tmp_path / "ws", {}, benchmark=open_benchmark("folders", root))


class FakeTrax(ModuleType):
    """As much of the `trax` package as a conversation needs, with requests given in advance."""

    Region = SimpleNamespace(RECTANGLE="rectangle")
    Image = SimpleNamespace(PATH="path")
    ImageChannel = SimpleNamespace(COLOR="color")
    TraxStatus = SimpleNamespace(QUIT="quit", FRAME="frame", INITIALIZE="initialize")
    Rectangle = SimpleNamespace(create=lambda *box: box)

    class TraxException(Exception):  # noqa: N818
        pass

    def __init__(self, requests: list[Any]) -> None:
        super().__init__("trax")
        self.requests = requests
        self.replies: list[Any] = []

    def Server(self, *_: object, **__: object) -> "FakeTrax":
        return self

    def __enter__(self) -> "FakeTrax":
        return self

    def __exit__(self, *_: object) -> None: ...

    def wait(self) -> Any:
        if not self.requests:
            raise self.TraxException("end of stream")
        return self.requests.pop(0)

    def status(self, objects: Any) -> None:
        self.replies.append(objects)


def _request(kind: str, path: Path | None = None, *boxes: tuple[float, ...]) -> Any:
    image = {"color": SimpleNamespace(path=lambda: str(path))}
    given = [(SimpleNamespace(bounds=lambda box=box: box), {}) for box in boxes]
    return SimpleNamespace(type=kind, image=image, objects=given)


def test_a_conversation_from_start_to_quit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = sorted((write_sequences(tmp_path, [3]) / "s0" / "img").iterdir())
    trax = FakeTrax(
        [
            _request("initialize", frames[0], (5, 7, 20, 30)),
            _request("frame", frames[1]),
            _request("initialize", frames[0], (5, 7, 20, 30)),
            _request("frame", frames[2]),
            _request("quit"),
        ]
    )
    monkeypatch.setitem(sys.modules, "trax", trax)
    serve_tracker(ImportedTracker(Oracle(), "oracle"))
    assert trax.replies[1] == [((6.0, 7.0, 21.0, 29.0), {"confidence": "0.500000"})]
    assert trax.replies[3] == [((7.0, 8.0, 22.0, 28.0), {"confidence": "0.500000"})]


def test_two_targets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = write_sequences(tmp_path, [1]) / "s0" / "img" / "0000.png"
    request = _request("initialize", frame, (1, 2, 3, 4), (5, 6, 7, 8))
    monkeypatch.setitem(sys.modules, "trax", FakeTrax([request]))
    with pytest.raises(TrackingError, match="one target at a time"):
        serve_tracker(ImportedTracker(Oracle(), "oracle"))


def test_a_conversation_that_breaks_off_says_who_should_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trax", FakeTrax([]))
    with pytest.raises(TrackingError, match="end of stream"):
        serve_tracker(ImportedTracker(Oracle(), "oracle"))


def test_without_trax_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trax", None)
    with pytest.raises(MissingExtraError, match=r"aiatrack\[vot\]"):
        serve_tracker(ImportedTracker(Oracle(), "oracle"))


def test_models_are_found_from_the_toolkits_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exported").mkdir()
    (tmp_path / "lite").mkdir()  # no model's name is ever taken for a folder's
    assert _absolute("exported") == str(tmp_path / "exported")
    assert (_absolute("lite"), _absolute("gone")) == ("lite", "gone")
