"""Checkpoints on disk, and the random streams inside them."""

import pickle
import random

import numpy as np
import pytest
import torch

from aiatrack.atomic_files import replace_file
from aiatrack.errors import OutputError, TrainingError
from aiatrack.training import CheckpointFolder, load_checkpoint
from aiatrack.training.checkpoints import save_atomically
from aiatrack.training.random_streams import (
    random_state,
    restore_random_state,
    seed_random_streams,
    untouched_random_streams,
)


def test_the_newest_few_and_the_best_are_kept(tmp_path):
    folder = CheckpointFolder(tmp_path / "checkpoints", kept=3)
    assert folder.load_newest() is None
    for step in (2, 4, 8, 10, 100):
        folder.save({"step": step}, step)
        if step == 4:
            folder.save_best({"step": step})
    assert [load_checkpoint(path)["step"] for path in folder.paths()] == [8, 10, 100]
    assert load_checkpoint(folder.best_path)["step"] == 4
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best.pt",
        "step_000000008.pt",
        "step_000000010.pt",
        "step_000000100.pt",
    ]


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path):
    folder = CheckpointFolder(tmp_path)
    folder.save({"step": 1}, 1)
    whole = folder.save({"step": 2}, 2)
    whole.write_bytes(whole.read_bytes()[:100])
    assert folder.load_newest() == {"step": 1}


def test_only_damaged_checkpoints_are_an_error(tmp_path):
    folder = CheckpointFolder(tmp_path)
    folder.save({"step": 1}, 1).write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="no checkpoint can be read"):
        folder.load_newest()


class Stranger:
    """Something that a strict load must refuse."""


@pytest.mark.parametrize("content", [{"step": 1, "stranger": Stranger()}, {"no": "step"}, [1]])
def test_what_is_not_a_checkpoint_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(TrainingError, match=r"odd\.pt"):
        load_checkpoint(tmp_path / "odd.pt")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.pt"
    save_atomically({"step": 1}, path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_atomically({"step": 2, "cannot be pickled": lambda: None}, path)
    assert load_checkpoint(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_killed_process_is_removed(tmp_path):
    with replace_file(tmp_path / "step_000000001.pt") as draft:
        pass
    drafts = [draft, tmp_path / ".step_000000001.pt.draft"]  # the latter of an older version
    for draft in drafts:
        draft.write_bytes(b"half")
    whole = CheckpointFolder(tmp_path).save({"step": 2}, 2)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "step_000000001.pt", whole]


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*step_000000001\.pt"):
        CheckpointFolder(tmp_path / "file" / "checkpoints").save({"step": 1}, 1)


@pytest.mark.parametrize("kind", [OSError, RuntimeError])
def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch, kind):
    def fail(state, path):
        path.write_bytes(b"half")
        raise kind("no space left")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OutputError, match=r"cannot write .*state\.pt.*: no space left"):
        save_atomically({"step": 1}, tmp_path / "state.pt")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_was_not_written_whole_is_told_plainly(tmp_path, monkeypatch):
    def fail(state, path):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 640 vs 598")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OutputError, match=r"cannot write .*state\.pt whole: no space left") as caught:
        save_atomically({"step": 1}, tmp_path / "state.pt")
    assert "enforce" not in str(caught.value) and "enforce" in str(caught.value.__cause__)


def test_writing_leaves_other_files_alone(tmp_path):
    """Checkpoints are written as every other file of the package, by a draft of their own."""
    (tmp_path / ".state.pt.draft").write_text("of somebody else")
    save_atomically({"step": 1}, tmp_path / "state.pt")
    assert (tmp_path / ".state.pt.draft").read_text() == "of somebody else"


def _draw():
    return random.random(), float(np.random.rand()), float(np.random.randn()), torch.rand(3).tolist()


def test_random_streams_go_on_where_they_were(tmp_path):
    seed_random_streams(5)
    _draw()
    save_atomically({"step": 0, "random": random_state()}, tmp_path / "state.pt")
    expected = [_draw(), _draw()]
    seed_random_streams(99)
    restore_random_state(load_checkpoint(tmp_path / "state.pt")["random"])
    assert [_draw(), _draw()] == expected


def test_streams_stay_untouched():
    seed_random_streams(1)
    expected = _draw()
    seed_random_streams(1)
    with untouched_random_streams():
        _draw()
    assert _draw() == expected


def test_a_flipped_byte_anywhere_leads_to_the_checkpoint_before(tmp_path):
    """Whatever PyTorch makes of it; where it changes nothing that is read, the newest is as it was."""
    folder = CheckpointFolder(tmp_path)
    folder.save({"step": 1}, 1)
    newest = {"step": 2, "weights": torch.arange(40.0), "best_score": None, "name": "tiny"}
    path = folder.save(newest, 2)
    whole = path.read_bytes()
    outcomes = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        state = folder.load_newest()
        outcomes.append(state["step"])
        if state["step"] == 2:
            assert torch.equal(state.pop("weights"), newest["weights"])
            assert state == {key: value for key, value in newest.items() if key != "weights"}
    assert outcomes.count(1) > 400
