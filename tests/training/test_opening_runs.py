"""Runs as the command line opens them: recipe, data on disk, validation by tracking."""

import json
import re
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from training_samples import tiny_settings

from aiatrack.api.training import open_training_run, plan_training_run
from aiatrack.config import load_recipe
from aiatrack.data import DataWarning, validation_clips
from aiatrack.errors import DataError, SettingsError, TrainingError
from aiatrack.training import TrainingWarning

pytestmark = pytest.mark.filterwarnings("ignore:init is random and optimizer.frozen is backbone")


def _write_source(folder: Path, *, clips: int, stills: int = 0, name: str = "own") -> Path:
    """Noise with one box in each image."""
    folder.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "a.png"), image)
    cv2.imwrite(str(folder / "b.png"), image)
    rows = [
        {"image": "a.png", "boxes": [[20 + t, 20, 20, 16]], "labels": ["x"], "video": f"v{c}", "frame": t}
        for c in range(clips)
        for t in range(14)
    ]
    rows += [{"image": ("a.png", "b.png")[s], "boxes": [[20, 20, 20, 16]]} for s in range(stills)]
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def _settings(cache: Path, *sources: Path, packed: bool = True):
    data = {
        "sources": [{"path": path, "packed": packed} for path in sources],
        "cache": cache,
        "validation_clip_share": 0.9,
    }
    return tiny_settings(data=data, steps=2, log={"validate_every_steps": 2, "pictures_every_steps": 0})


def test_sources_and_clips_of_one_name_are_validated_apart(tmp_path):
    paths = [_write_source(tmp_path / name, clips=4, name="train") for name in "ab"]
    settings = _settings(tmp_path / "cache", *paths)
    names = [clip.name for clip in validation_clips(settings.data)]
    assert len(set(names)) == len(names) >= 4
    assert any(name.endswith(" (2)") for name in names)
    summary = open_training_run(settings, tmp_path / "run").run()
    assert summary.best_score is not None


def test_stills_alone_are_trained_on_without_validation(tmp_path):
    path = _write_source(tmp_path, clips=0, stills=2)
    settings = _settings(tmp_path / "cache", path)
    with pytest.warns(TrainingWarning, match=r"no validation: .*validation_clip_share"):
        run = open_training_run(settings, tmp_path / "run")
    summary = run.run()
    assert (summary.steps, summary.best_score) == (2, None)


@pytest.mark.parametrize(
    ("init", "frozen", "warned"),
    [
        ("random", "backbone", True),
        ("random", "stem", True),
        ("random", "nothing", False),
        ("nano", "stem", False),
    ],
)
def test_a_part_frozen_at_random_weights_is_warned_of(tmp_path, init, frozen, warned):
    settings = _settings(tmp_path / "cache", _write_source(tmp_path, clips=4))
    optimizer = settings.optimizer.model_dump() | {"frozen": frozen}
    changes = {"network": {}} if init == "nano" else {}
    settings = settings.replace(init=init, optimizer=optimizer, **changes)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        open_training_run(settings, tmp_path / "run")
    found = [str(each.message) for each in told if "stays at random weights" in str(each.message)]
    assert len(found) == warned
    assert all(f"optimizer.frozen is {frozen}" in message for message in found)


def test_what_is_left_out_of_a_source_is_counted(tmp_path):
    path = _write_source(tmp_path, clips=4)
    path.write_text(path.read_text() + '\n{"image": "gone.png", "boxes": [[1, 2, 30, 40]]}\nno row')
    run = open_training_run(_settings(tmp_path / "cache", path), tmp_path / "run")
    with pytest.warns(DataWarning, match=r"source own, 2 problems, the first: own\.jsonl, line 58: not JSON"):
        run.run()


def test_a_validation_starts_where_its_target_can_be_seen(tmp_path):
    """Boxes without area or outside the image would end the run at its first validation."""
    path = _write_source(tmp_path, clips=4)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["frame"] < 2:
            row["boxes"] = [[[20, 20, 0, 16]], [[900, 20, 20, 16]]][row["frame"]]
    path.write_text("\n".join(map(json.dumps, rows)))
    clips = validation_clips(_settings(tmp_path / "cache", path).data)
    assert clips
    assert all(len(clip) == 12 and np.isfinite(clip.boxes_xywh).all() for clip in clips)


def test_frames_with_transparency_are_tracked_without(tmp_path):
    path = _write_source(tmp_path, clips=4)
    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 80, 4), 100, dtype=np.uint8))
    for packed in (True, False):
        for clip in validation_clips(_settings(tmp_path / "cache", path, packed=packed).data):
            assert next(clip.frames()).shape == (60, 80, 3)


def test_clips_of_unpacked_sources_are_looked_at_when_the_run_is_opened(tmp_path):
    path = _write_source(tmp_path, clips=4)
    settings = _settings(tmp_path / "cache", path, packed=False)
    (tmp_path / "a.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"a\.png: missing or not an image"):
        open_training_run(settings, tmp_path / "run")
    _write_source(tmp_path, clips=4)
    path.write_text(path.read_text().replace("[20, 20, 20, 16]", "[900, 20, 20, 16]"))
    with pytest.raises(DataError, match=r"own/v\d: .*outside the 80 x 60 frame"):
        open_training_run(settings, tmp_path / "run")


@pytest.mark.parametrize("validates", [True, False])
def test_a_score_that_no_validation_gives_is_refused_before_the_first_step(tmp_path, validates):
    settings = _settings(tmp_path / "cache", _write_source(tmp_path, clips=4))
    log = settings.log.replace(best_metric="foo", validate_every_steps=2 * validates)
    settings = settings.replace(log=log)
    if not validates:
        assert open_training_run(settings, tmp_path / "run").run().best_score is None
        return
    with pytest.raises(SettingsError, match=r"log\.best_metric: expected auc, .*got 'foo'"):
        open_training_run(settings, tmp_path / "run")
    with pytest.raises(SettingsError, match=r"log\.best_metric: expected auc, .*got 'foo'"):
        plan_training_run(settings)
    assert not (tmp_path / "run").exists()


def test_a_check_of_settings_together_does_not_print_them_all():
    with pytest.raises(SettingsError, match="there is no model 'huge'") as caught:
        load_recipe("nano", ["model=huge"])
    assert "(got" not in str(caught.value) and "batch_size" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"steps: .*\(got 'many'\)"):
        load_recipe("nano", ["steps=many"])


def test_a_yolo_data_yaml_is_a_source(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    for folder in ("images", "labels"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "mine" / "images" / "a.png"), image)
    (tmp_path / "mine" / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.3\n")
    (tmp_path / "mine" / "data.yaml").write_text("path: mine\ntrain: images\nnames: [thing]\n")
    source = {"path": tmp_path / "mine" / "data.yaml", "layout": "yolo"}
    settings = tiny_settings(data={"sources": [source], "cache": tmp_path / "cache"}, steps=1)
    assert open_training_run(settings, tmp_path / "run").run().steps == 1


def test_fine_tuning_on_coco_as_the_manual_says():
    settings = load_recipe("finetune", ["data.sources.0.path=mine.json", "data.sources.0.layout=coco"])
    assert settings.data.sources[0].layout.value == "coco"


def test_a_run_of_which_only_the_best_is_left_is_not_resumed(tmp_path):
    settings = _settings(tmp_path / "cache", _write_source(tmp_path, clips=4))
    open_training_run(settings, tmp_path / "run").run()
    for path in (tmp_path / "run" / "checkpoints").glob("step_*.pt"):
        path.unlink()
    assert (tmp_path / "run" / "checkpoints" / "best.pt").is_file()
    with pytest.raises(TrainingError, match=r"best\.pt alone.*--init .*best\.safetensors") as caught:
        open_training_run(settings, tmp_path / "run", resume=True)
    with pytest.raises(TrainingError, match="holds a run already"):
        open_training_run(settings, tmp_path / "run")
    weights = re.search(r"--init (\S+safetensors)", str(caught.value))[1]
    again = open_training_run(settings.replace(init=weights), tmp_path / "again")
    assert again.run().steps == 2
