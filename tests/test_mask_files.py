"""Object numbers of masks that lost their palette; what training and benchmarks read is the same file."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.mask_files import read_mask, read_voc_mask

VOC_RGB = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (64, 0, 0), (224, 224, 192)]
VOC_NUMBERS = [0, 1, 2, 3, 4, 8, 255]


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_voc_stand_for_numbers(tmp_path: Path, channels: int):
    colours = np.full((1, len(VOC_RGB), channels), 255, np.uint8)
    colours[0, :, :3] = np.array(VOC_RGB)[:, ::-1]  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "mask.png"), colours)
    mask = read_voc_mask(tmp_path / "mask.png")
    assert mask is not None
    assert mask.tolist() == [VOC_NUMBERS]


def test_grey_levels_are_numbers_up_to_16_bits(tmp_path: Path):
    values = np.array([[0, 1, 300]], np.uint16)
    cv2.imwrite(str(tmp_path / "mask.png"), values)
    mask = read_voc_mask(tmp_path / "mask.png")
    assert mask is not None
    assert mask.tolist() == values.tolist()


def test_colours_without_a_palette_are_grey_levels_to_training(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((2, 3, 3), 255, np.uint8))
    mask = read_mask(tmp_path / "mask.png")
    assert mask is not None
    assert mask.tolist() == [[255] * 3] * 2


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_what_is_no_mask_is_none(tmp_path: Path, content: bytes):
    (tmp_path / "mask.png").write_bytes(content)
    assert read_voc_mask(tmp_path / "mask.png") is None
    assert read_voc_mask(tmp_path / "missing.png") is None
    assert read_voc_mask(tmp_path / "a\0b.png") is None
