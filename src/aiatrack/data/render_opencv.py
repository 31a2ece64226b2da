"""Draw plans with OpenCV on the CPU: every crop is sampled once, straight from the stored image."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.appearance import noise_tile
from aiatrack.data.geometry import Matrix, translate
from aiatrack.data.images import ImageBank
from aiatrack.data.plan import OverlayPlan, ViewPlan

Image = npt.NDArray[np.uint8]
Padding = npt.NDArray[np.bool_]
_BLACK = (0, 0, 0, 0)
_ALL_CHROMA = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444


def render_views(
    views: Sequence[ViewPlan], images: ImageBank, crop_size: int, crops: Image, padding: Padding
) -> None:
    """Draw crops.

    Args:
        views: V plans.
        images: where their images are.
        crop_size: S, px.
        crops: `(V, S, S, 3)`, written to.
        padding: `(V, S, S)`, written to: true where a crop shows nothing of its image.
    """
    for place, view in enumerate(views):
        render_view(view, images, crop_size, crops[place], padding[place])


def render_view(view: ViewPlan, images: ImageBank, crop_size: int, crop: Image, padding: Padding) -> None:
    """Draw one crop into `crop` `(S, S, 3)` and `padding` `(S, S)`."""
    source = images.read(view.image)
    height, width = source.shape[:2]
    sampled = _sample(source, view.inverse, view.samples, (crop_size, crop_size))
    # Only unpacked sources bring transparency here: what an image has of it is not known before it is read.
    pixels = np.ascontiguousarray(sampled[..., :3])
    for overlay in view.overlays:
        _lay_over(pixels, overlay, view.samples, images)
    outside = padding_of(view.inverse, width, height, crop_size)
    if view.colour is not None:
        pixels = np.asarray(cv2.transform(pixels, view.colour), dtype=np.uint8)
    if view.kernel is not None:
        kernel = np.ascontiguousarray(view.kernel[::-1, ::-1])
        pixels = np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)
    if view.noise_sigma > 0:
        pixels = _add_noise(pixels, view)
    if view.quality > 0:
        pixels = _compress(pixels, view.quality)
    np.copyto(crop, pixels)
    if outside is None:
        padding[...] = False
    else:
        np.copyto(padding, outside)
        np.multiply(crop, ~outside[..., None], out=crop)


def _warp(source: Image, inverse: Matrix, width: int, height: int) -> Image:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if inverse[2, 0] == 0 and inverse[2, 1] == 0:
        warped: Any = cv2.warpAffine(
            source, inverse[:2] / inverse[2, 2], (width, height), flags=flags, borderValue=_BLACK
        )
    else:
        warped = cv2.warpPerspective(source, inverse, (width, height), flags=flags, borderValue=_BLACK)
    return np.asarray(warped, dtype=np.uint8)


def _finer(inverse: Matrix, samples: int) -> Matrix:
    """Change the crop's index coordinates to those of a crop with `samples` times as many pixels."""
    finer = inverse @ translate(-0.5, -0.5) @ np.diag((1 / samples, 1 / samples, 1.0)) @ translate(0.5, 0.5)
    return np.asarray(finer)


def _sample(source: Image, inverse: Matrix, samples: int, size: tuple[int, int]) -> Image:
    """Sample a part of `size` width and height, px, with `samples` points per pixel and axis."""
    width, height = size
    if samples == 1:
        return _warp(source, inverse, width, height)
    large = _warp(source, _finer(inverse, samples), width * samples, height * samples)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _lay_over(pixels: Image, overlay: OverlayPlan, samples: int, images: ImageBank) -> None:
    cutout = images.read(overlay.image)
    part = _covered_part(overlay.inverse, cutout.shape[1], cutout.shape[0], pixels.shape[0])
    if part is None:
        return
    left, top, right, bottom = part
    inverse = overlay.inverse @ translate(left, top)
    warped = _sample(cutout, inverse, samples, (right - left, bottom - top))
    colours = warped[..., :3]
    if overlay.colour is not None:
        colours = np.asarray(cv2.transform(np.ascontiguousarray(colours), overlay.colour), dtype=np.uint8)
    below = pixels[top:bottom, left:right]
    alpha = warped[..., 3:].astype(np.uint16)
    below[...] = ((colours * alpha + below * (255 - alpha) + 127) // 255).astype(np.uint8)


def _covered_part(
    inverse: Matrix, width: int, height: int, crop_size: int
) -> tuple[int, int, int, int] | None:
    """The part of a crop that a cut-out can reach: left, top, right, bottom, px; None for no part."""
    corners = np.array([(-1, -1, 1), (width, -1, 1), (width, height, 1), (-1, height, 1)], dtype=np.float64)
    mapped = corners @ np.linalg.inv(inverse).T
    if (mapped[:, 2] <= 1e-6).any():
        return 0, 0, crop_size, crop_size
    places = mapped[:, :2] / mapped[:, 2:]
    low = np.maximum(np.floor(places.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(places.max(axis=0)).astype(int) + 1, crop_size)
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def padding_of(inverse: Matrix, width: int, height: int, crop_size: int) -> Padding | None:
    """Say where a crop shows nothing of its image, `(S, S)`; None if there is no such place.

    A pixel that is interpolated with anything outside of the image counts as outside, as in tracking.
    """
    grid = np.arange(crop_size, dtype=np.float64)
    last = crop_size - 1.0
    corners = np.array([(0, 0, 1), (last, 0, 1), (last, last, 1), (0, last, 1)]) @ inverse.T
    depth = corners[:, 2]
    if (depth > 1e-6).all():
        places = corners[:, :2] / depth[:, None]
        if (places >= 0).all() and (places <= (width - 1, height - 1)).all():
            return None
    if not inverse[[0, 1, 2, 2], [1, 0, 0, 1]].any():
        x, y = inverse[0, 0] * grid + inverse[0, 2], inverse[1, 1] * grid + inverse[1, 2]
        outside_x, outside_y = (x < 0) | (x > width - 1), (y < 0) | (y > height - 1)
        return np.asarray(outside_x[None] | outside_y[:, None])
    planes = (
        inverse[:, 0, None, None] * grid[None] + (inverse[:, 1, None] * grid + inverse[:, 2, None])[..., None]
    )
    x, y, w = planes
    return np.asarray((w <= 1e-6) | (x < 0) | (x > (width - 1) * w) | (y < 0) | (y > (height - 1) * w))


def _add_noise(pixels: Image, view: ViewPlan) -> Image:
    row, column = view.noise_offset
    size = pixels.shape[0]
    noise = noise_tile()[row : row + size, column : column + size].astype(np.float32)
    return np.asarray(np.clip(np.rint(pixels + noise * (view.noise_sigma / 32)), 0, 255), dtype=np.uint8)


def _compress(pixels: Image, quality: int) -> Image:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _ALL_CHROMA]
    done, data = cv2.imencode(".jpg", pixels[..., ::-1], options)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if done else None
    return np.asarray(decoded[..., ::-1], dtype=np.uint8) if decoded is not None else pixels
