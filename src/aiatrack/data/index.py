"""What is known of one source's images and objects without their pixels: flat arrays in one file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.atomic_files import replace_file
from aiatrack.errors import DataError

IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class SourceIndex:
    """Images and objects of one source. N images, C clips, K objects (one box in one image each), Q points.

    Attributes:
        image_offset: `(N,)` int64, first byte in the flat file; -1 for images in files of their own.
        image_size: `(N, 2)` int32, width and height, px; 0 where not known yet.
        image_channels: `(N,)` uint8, 3 (RGB), 4 (RGBA cut-out) or 0 where not known yet.
        image_clip: `(N,)` int32, the clip that an image belongs to; -1 for a cut-out taken from a mask.
        image_frame: `(N,)` int64, frame number within the clip.
        image_detail: `(N, 16, 16)` uint8, mean gradient in each part of the image, grey levels; or
            `(0, 16, 16)` where not known.
        clip_name: `(C,)` str.
        clip_is_video: `(C,)` bool.
        object_image: `(K,)` int32.
        object_box_xywh: `(K, 4)` float32, px.
        object_track: `(K,)` int32, equal for one object through a clip.
        object_cutout: `(K,)` int32, image that holds the object cut out of its scene, or -1.
        object_cutout_origin: `(K, 2)` float32, left top corner of the cut-out in the object's image.
        outline_start: `(K + 1,)` int64, object k's outline is `outline_points[start[k]:start[k + 1]]`;
            none where only the box is known.
        outline_points: `(Q, 2)` float32, px of the object's image.
        problems: `(P,)` str, what was passed over.
    """

    image_offset: IntArray
    image_size: IntArray
    image_channels: IntArray
    image_clip: IntArray
    image_frame: IntArray
    image_detail: IntArray
    clip_name: npt.NDArray[np.str_]
    clip_is_video: npt.NDArray[np.bool_]
    object_image: IntArray
    object_box_xywh: npt.NDArray[np.float32]
    object_track: IntArray
    object_cutout: IntArray
    object_cutout_origin: npt.NDArray[np.float32]
    outline_start: IntArray
    outline_points: npt.NDArray[np.float32]
    problems: npt.NDArray[np.str_]

    @property
    def flat_bytes(self) -> int:
        """Length of the flat file of all images."""
        return int(self.image_size.astype(np.int64).prod(axis=1) @ self.image_channels.astype(np.int64))

    def save(self, path: Path) -> None:
        """Write to an `.npz` file, replacing it in one step."""
        with replace_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})


def load_index(path: Path) -> SourceIndex:
    """Read what `SourceIndex.save` wrote.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return SourceIndex(**{field.name: arrays[field.name] for field in fields(SourceIndex)})
    except Exception as error:  # a damaged archive can raise anything at all
        raise DataError(
            f"{path} is not an index of training data: {error}; delete it to have it made anew"
        ) from error
