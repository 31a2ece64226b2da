"""Images are read upright, as cut-outs only where something is transparent; masks by their values."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.config import SourceSettings
from aiatrack.data import check_source
from aiatrack.data.images import read_image
from aiatrack.data.readers import read_json_lines, read_yolo
from aiatrack.data.store import build_store
from aiatrack.errors import DataError
from aiatrack.image_files import read_image_size
from aiatrack.mask_files import read_mask

Image = pytest.importorskip("PIL.Image")


def _picture(channels: int = 3) -> np.ndarray:
    """60 x 40 px without any symmetry."""
    picture = np.zeros((40, 60, channels), dtype=np.uint8)
    picture[:20, :20, 0] = picture[:10, 30:, 1] = picture[30:, :50, 2] = 200
    return picture


def _save_turned(path: Path, picture: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if path.suffix == ".webp" else {"quality": 95}
    Image.fromarray(picture).save(path, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_images_are_read_upright_as_the_tracker_sees_them(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    path = tmp_path / f"a{suffix}"
    _save_turned(path, _picture(), orientation)
    image = read_image(path)
    assert image is not None
    upright = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert upright is not None
    assert (image == upright[..., ::-1]).all()
    assert read_image_size(path) == (upright.shape[1], upright.shape[0])


def test_transparency_is_kept(tmp_path: Path) -> None:
    picture = _picture(4)
    picture[5:, :, 3] = 255
    cv2.imwrite(str(tmp_path / "a.png"), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))
    image = read_image(tmp_path / "a.png")
    assert image is not None
    assert (image == picture).all()


@pytest.mark.parametrize("data", [b"", b"nothing", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00"])
def test_what_is_no_image_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_image(tmp_path / "a.jpg") is None
    assert read_image(tmp_path / "missing.jpg") is None
    assert read_image(tmp_path / "a\0b.jpg") is None


def test_a_damaged_exif_block_turns_nothing(tmp_path: Path) -> None:
    _save_turned(tmp_path / "a.jpg", _picture(), 6)
    data = (tmp_path / "a.jpg").read_bytes()
    start = data.index(b"Exif\0\0") + 6
    (tmp_path / "a.jpg").write_bytes(data[: start + 4] + b"\xff\xff\xff\xff" + data[start + 8 :])
    image = read_image(tmp_path / "a.jpg")
    assert image is not None
    assert image.shape == (40, 60, 3)


def test_sixteen_bits_are_read_as_eight(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 6, 3), 200 * 257, dtype=np.uint16))
    image = read_image(tmp_path / "a.png")
    assert image is not None
    assert (image.dtype, image.shape, int(image[0, 0, 0])) == (np.uint8, (4, 6, 3), 200)


def test_yolo_boxes_of_a_turned_image_lie_where_its_pixels_are(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    upright = np.zeros((60, 40, 3), dtype=np.uint8)
    upright[30:50, 10:20] = 255
    _save_turned(tmp_path / "images" / "a.png", np.rot90(upright), 6)
    (tmp_path / "labels" / "a.txt").write_text(f"0 {15 / 40} {40 / 60} {10 / 40} {20 / 60}\n")
    (clip,) = read_yolo(tmp_path).clips
    x, y, w, h = clip.tracks[0].boxes_xywh[0].round().astype(int)
    image = read_image(clip.images[0])
    assert image is not None
    assert (image[y : y + h, x : x + w] == 255).all()
    assert image.sum() == upright.sum()


def test_opaque_images_with_an_alpha_channel_keep_their_boxes(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 4), 255, dtype=np.uint8))
    (tmp_path / "own.jsonl").write_text(json.dumps({"image": "a.png", "boxes": [[5, 6, 20, 20]]}))
    _, index = build_store(read_json_lines(tmp_path / "own.jsonl"), tmp_path / "cache")
    assert index.image_channels.tolist() == [3]
    assert index.object_box_xywh.tolist() == [[5, 6, 20, 20]]
    (report,) = check_source(SourceSettings(path=tmp_path / "own.jsonl"))
    assert (report.usable_boxes, report.cutouts) == (1, 0)


@pytest.mark.parametrize("palette", [[0, 0, 0, 128, 0, 0, 0, 128, 0], [9, 9, 9, 255, 255, 255, 7, 7, 7]])
def test_palette_masks_are_read_by_index(tmp_path: Path, palette: list[int]) -> None:
    values = np.zeros((40, 60), dtype=np.uint8)
    values[:10, :20], values[20:, 30:] = 1, 2
    mask = Image.fromarray(values)
    mask.putpalette(palette + [0] * (768 - len(palette)))
    mask.save(tmp_path / "palette.png")
    Image.fromarray(values).save(tmp_path / "grey.png")
    for name in ("palette.png", "grey.png"):
        read = read_mask(tmp_path / name)
        assert read is not None
        assert (read == values).all()


def test_a_mask_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "short.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    assert read_mask(tmp_path / "short.png") is None
    assert read_mask(tmp_path / "missing.png") is None


def test_palette_masks_give_outlines(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((120, 160, 3), 90, dtype=np.uint8))
    values = np.zeros((120, 160), dtype=np.uint8)
    cv2.circle(values, (70, 60), 30, 2, -1)
    mask = Image.fromarray(values)
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 759)
    mask.save(tmp_path / "m.png")
    row = {"image": "a.png", "boxes": [[0, 0, 9, 9], [40, 30, 61, 61]], "mask": "m.png"}
    (tmp_path / "own.jsonl").write_text(json.dumps(row))
    _, index = build_store(read_json_lines(tmp_path / "own.jsonl"), tmp_path / "cache")
    assert index.outline_start[1] == 0
    assert index.outline_start[2] > 8


def test_yolo_images_are_not_decoded_for_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((40, 60, 3), dtype=np.uint8))
        (tmp_path / "labels" / name).with_suffix(".txt").write_text("0 0.5 0.5 0.5 0.5\n")
    monkeypatch.setattr(cv2, "imdecode", None)
    clips = read_yolo(tmp_path).clips
    assert [clip.tracks[0].boxes_xywh.tolist() for clip in clips] == [[[15, 10, 30, 20]]] * 2


def test_what_has_no_header_to_read_is_decoded_for_its_size(tmp_path: Path) -> None:
    for name in ("a.bmp", "b.webp"):
        cv2.imwrite(str(tmp_path / name), np.zeros((40, 60, 3), dtype=np.uint8))
        assert read_image_size(tmp_path / name) == (60, 40)
    _save_turned(tmp_path / "c.png", _picture(), 6)
    assert read_image_size(tmp_path / "c.png") == (40, 60)
    for content in (b"", b"nothing", b"\xff\xd8\xff"):
        (tmp_path / "d.jpg").write_bytes(content)
        with pytest.raises(DataError, match=r"d\.jpg"):
            read_image_size(tmp_path / "d.jpg")
    with pytest.raises(DataError, match=r"missing\.jpg"):
        read_image_size(tmp_path / "missing.jpg")


def test_masks_are_read_without_opencv_opening_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows it cannot open one whose name is not ASCII."""
    values = np.zeros((40, 60), dtype=np.uint8)
    values[:10, :20] = 1
    Image.fromarray(values).save(tmp_path / "Маска.png")
    palette = Image.fromarray(values)
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save(tmp_path / "Палитра.png")
    monkeypatch.setattr(cv2, "imread", lambda *_: None)
    for name in ("Маска.png", "Палитра.png"):
        mask = read_mask(tmp_path / name)
        assert mask is not None
        assert (mask == values).all()
