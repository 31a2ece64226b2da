"""The demo, what a model is, and the authors' checkpoints."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_inputs import Outcome, Run, film_times

from aiatrack import api
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.errors import WeightsError
from aiatrack.tracking import TrackResult


def refused(outcome: Outcome, code: int, words: str) -> None:
    assert outcome.err.startswith("error: "), outcome
    assert outcome.err.count("\n") == 1, outcome.err
    assert words in outcome.err
    assert outcome.code == code


def test_demo(run, here, tiny_weights):
    outcome = run("demo", "--model", tiny_weights, "--frames", "4", "--seed", "3")
    assert outcome.code == 0
    assert outcome.err == ""
    found = re.fullmatch(
        r"model (.+): mean overlap (0\.\d{3}) over the 3 frames where the target can be seen, "
        r"tracking at [\d.]+ frames/s; wrote demo.mp4\n",
        outcome.out,
    )
    assert found is not None, outcome.out
    assert found[1] == str(tiny_weights)
    assert film_times(here / "demo.mp4") == pytest.approx([index / 30 for index in range(4)], abs=1e-4)


class Scripted:
    """Answers with boxes that were written beforehand."""

    def __init__(self, boxes: list[np.ndarray], stop_at: int | None = None) -> None:
        self.boxes, self.index, self.stop_at = boxes, 0, stop_at

    def start(self, frame: np.ndarray, box: np.ndarray) -> TrackResult:
        return self.answer(1.0)

    def update(self, frame: np.ndarray) -> TrackResult:
        self.index += 1
        if self.index == self.stop_at:
            raise KeyboardInterrupt
        return self.answer(0.5)

    def answer(self, score: float) -> TrackResult:
        box = self.boxes[self.index]
        return TrackResult(tuple(box.tolist()), score, self.index, remembered=False)


@pytest.fixture
def truth() -> list[np.ndarray]:
    world = SyntheticWorld(
        SyntheticWorldSettings(seed=0, frames=5, speed=0.5, distractors=1, camera_motion=0.4)
    )
    return [world.boxes_xywh(index)[0] for index in range(5)]


def demo(run: Run, tracker: Scripted, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.setattr(api, "load_tracker", lambda *_a, **_k: tracker)
    return run("demo", "--frames", "5")


def test_demo_measures_overlap(run, here, truth, monkeypatch):
    assert "mean overlap 1.000 over the 4" in demo(run, Scripted(truth), monkeypatch).out
    half = [box * (1, 1, 0.5, 1) for box in truth]
    assert "mean overlap 0.500 over the 4" in demo(run, Scripted(half), monkeypatch).out


def test_demo_stopped(run, here, truth, monkeypatch):
    outcome = demo(run, Scripted(truth, stop_at=3), monkeypatch)
    assert outcome.code == 130
    assert outcome.out == "stopped: 3 frames in demo.mp4\n"
    assert len(film_times(here / "demo.mp4")) == 3


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-o", "none/demo.mp4"), 6, "create it first"),
        (("-o", "demo.avi"), 6, "must end in .mp4"),
        (("-o", "."), 6, "must end in .mp4"),
        (("--model", "huge"), 2, "choose one of"),
        (("--device", "toaster"), 2, "cannot use device"),
    ],
)
def test_demo_refuses(options, code, words, run, here):
    refused(run("demo", *options), code, words)
    assert list(here.iterdir()) == []


def test_demo_keeps_an_older_film_where_the_model_is_at_fault(run, here):
    (here / "demo.mp4").write_bytes(b"precious")
    refused(run("demo", "--model", "gone.safetensors"), 7, "there is no weights file")
    assert (here / "demo.mp4").read_bytes() == b"precious"


def test_info_table(run, tiny_weights):
    outcome = run("info", tiny_weights)
    assert outcome.code == 0
    assert "model tiny" in outcome.out
    assert re.search(r"crop_size +│ 64 ", outcome.out)


def test_info_json(run, tiny_weights):
    content = json.loads(run("info", tiny_weights, "--json").out)
    assert content["name"] == "tiny"
    assert content["network"]["crop_size"] == 64
    assert content["tracking"]["ensemble_size"] == 3
    _, state = torch_state(tiny_weights)
    assert 0 < content["parameters"] <= sum(tensor.numel() for tensor in state.values())
    assert content["frame_macs"] == content["encode_macs"] + content["locate_macs"]


def torch_state(path: Path):
    from aiatrack.model import load_weights

    return load_weights(path)


@pytest.mark.parametrize("model", ["lite", "tiny"])
def test_info_tells_the_settings_that_a_tracker_gets(run, tiny_weights, model):
    model = tiny_weights if model == "tiny" else model
    content = json.loads(run("info", model, "--json").out)
    tracker = api.load_tracker(model, "cpu", runtime="eager")
    assert content["tracking"] == tracker.settings.model_dump(mode="json")
    assert content["tracking"]["presence"] == "judge"
    assert content["tracking"]["calibration"] == ("lite" if model == "lite" else "generic")


def test_info_refuses(run, here):
    refused(run("info", "huge"), 2, "choose one of")
    refused(run("info", "gone.safetensors"), 7, "there is no weights file")
    (here / "empty.safetensors").touch()
    refused(run("info", "empty.safetensors"), 7, "not a readable safetensors file")


def _with_a_nan(state):
    name = "iou_head.output.bias"
    return state | {name: torch.full_like(state[name], float("nan"))}


UNUSABLE = {
    "int8": (lambda state: {name: t.to(torch.int8) for name, t in state.items()}, "got int8 in"),
    "half": (lambda state: dict(list(state.items())[::2]), "do not fit this network"),
    "nan": (_with_a_nan, "NaN or infinity in 1 of"),
    "other": (lambda state: state | {"bottleneck.bias": torch.zeros(3)}, "do not fit this network"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_info_refuses_what_tracking_refuses(name, run, here, tiny_weights):
    from aiatrack.model import save_weights

    damage, words = UNUSABLE[name]
    settings, state = torch_state(tiny_weights)
    save_weights(here / "bad.safetensors", damage(state), settings)
    outcome = run("info", "bad.safetensors")
    refused(outcome, 7, words)
    assert outcome.out == ""
    with pytest.raises(WeightsError) as caught:
        api.load_tracker("bad.safetensors", "cpu", runtime="eager")
    assert outcome.err == f"error: {caught.value}\n"


class Hostile:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


CHECKPOINTS = {
    "missing": (None, "there is no checkpoint"),
    "empty": (b"", "not a readable PyTorch checkpoint"),
    "text": (b"hello\n", "not a readable PyTorch checkpoint"),
    "hostile": ({"net": Hostile()}, "nothing was executed"),
    "no network": ({"epoch": 500}, "holds no network"),
    "list": ([1, 2], "holds no network"),
    "network of words": ({"net": {"weight": "heavy"}}, "not a state dict of tensors"),
    "other network": ({"net": {"fc.weight": torch.zeros(3, 3)}}, "do not fit this network"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_convert_refuses(name, run, here):
    content, words = CHECKPOINTS[name]
    if isinstance(content, bytes):
        (here / "checkpoint.pth.tar").write_bytes(content)
    elif content is not None:
        torch.save(content, here / "checkpoint.pth.tar")
    refused(run("convert", "checkpoint.pth.tar", "-o", "base.safetensors"), 7, words)
    assert not (here / "executed").exists()
    assert not (here / "base.safetensors").exists()


def test_convert_says_that_weights_need_no_converting(run, here, tiny_weights):
    refused(run("convert", tiny_weights, "-o", "base.safetensors"), 7, "is a weights file already")


def test_convert_refuses_a_cut_checkpoint(run, here):
    torch.save({"net": {"fc.weight": torch.zeros(300, 300)}}, here / "whole.pth")
    (here / "cut.pth").write_bytes((here / "whole.pth").read_bytes()[:2000])
    refused(run("convert", "cut.pth"), 7, "not a readable PyTorch checkpoint")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("base.pt", "written as .safetensors"),
        ("old.safetensors", "say --overwrite"),
        ("folder.safetensors", "is a folder"),
        ("none/base.safetensors", "create it first"),
    ],
)
def test_convert_refuses_outputs(output, words, run, here):
    (here / "old.safetensors").write_bytes(b"precious")
    (here / "folder.safetensors").mkdir()
    refused(run("convert", "checkpoint.pth.tar", "-o", output), 6, words)
    assert (here / "old.safetensors").read_bytes() == b"precious"
