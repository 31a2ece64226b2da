"""Where to look for a lost target: on its path, around its last box, wider and wider, then everywhere."""

import math
from collections.abc import Sequence

import numpy as np

from aiatrack.config import TrackingSettings
from aiatrack.crop import CropWindow, crop_window
from aiatrack.tracking.target import FloatArray, Watch

_LARGEST_TILE_SHARE = 1.5
"""Of the frame's longer side: a larger tile would only show more of what is outside."""


def search_windows(
    watch: Watch, frame_shape: Sequence[int], settings: TrackingSettings, crop_size: int
) -> list[CropWindow]:
    """Choose the regions for one frame, at least two; `watch.next_tiles` move on.

    First the one in which the paper's tracker would look: what was wrongly taken for lost is found there
    again. Then, while there is one, the candidate's own, for a second look. Then the region around the held
    box, wider every frame; once it is wide enough, tiles in turn, from the held box outwards: wide ones, of
    which a round is soon done, and once it is lost close ones too, which find what is small or beside others.

    Args:
        watch: of the target, lost or suspected.
        frame_shape: height and width first.
        settings: budget, growth, tiles.
        crop_size: of the network, px.
    """
    windows = [crop_window(watch.followed_xywh, settings.search_factor, crop_size)]
    if watch.candidate_xywh is not None:
        windows.append(crop_window(watch.candidate_xywh, settings.search_factor, crop_size))
    if watch.frames_searched < settings.search_growth_steps:
        size = math.sqrt(float(watch.believed_xywh[2:].prod()))
        growth = settings.search_growth ** (watch.frames_searched + 1)
        side = _widest_useful(settings.search_factor * growth * size, size, frame_shape, settings)
        windows.append(crop_window(watch.believed_xywh, side / size, crop_size))
    else:
        tiles = _next_tiles(watch, settings.search_budget - len(windows), frame_shape, settings)
        windows += [crop_window(tile, settings.search_factor, crop_size) for tile in tiles]
    return windows[: settings.search_budget]


def _next_tiles(
    watch: Watch, count: int, frame_shape: Sequence[int], settings: TrackingSettings
) -> list[FloatArray]:
    """At most so many: a half of them wide, or as many as leave no look unused.

    For a target that is followed under suspicion all are wide: the more looks, the likelier it is that it is
    left for another thing. Where wide tiles are of the normal size, close ones would be the same.
    """
    wide, close = (
        tile_frame(watch.believed_xywh, frame_shape, settings, growth)
        for growth in (settings.tile_growth, 1.0)
    )
    has_close = settings.tile_growth != 1 and not watch.is_followed
    close_count = min(len(close), max(count // 2, count - len(wide))) if has_close else 0
    counts = min(len(wide), count - close_count), close_count
    chosen = [
        tiles[(first + step) % len(tiles)]
        for tiles, first, several in zip((wide, close), watch.next_tiles, counts, strict=True)
        for step in range(several)
    ]
    watch.next_tiles = (
        (watch.next_tiles[0] + counts[0]) % len(wide),
        (watch.next_tiles[1] + counts[1]) % len(close),
    )
    return chosen


def tile_frame(
    box_xywh: FloatArray, frame_shape: Sequence[int], settings: TrackingSettings, growth: float
) -> FloatArray:
    """Cover the frame with search regions, the one nearest to the last box first.

    Regions overlap so that a target of the box's size lies wholly in at least one. A box smaller than the
    tracker ever reports counts as one that it might: the tiles of a box below a pixel would be millions.

    Args:
        box_xywh: `(4,)` last box, px of the frame.
        frame_shape: height and width first.
        settings: how large a normal search region is.
        growth: side of a tile over that of a normal region.

    Returns:
        `(T, 4)` square boxes to cut regions around, px of the frame.
    """
    height, width = frame_shape[:2]
    size = max(math.sqrt(float(box_xywh[2] * box_xywh[3])), settings.clip_margin_px)
    side = settings.search_factor * growth * size
    side = _widest_useful(side, size, frame_shape, settings)
    step = max(side - 2 * size, side / 2)
    columns, rows = _centres(width, side, step), _centres(height, side, step)
    centres = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    distances = np.linalg.norm(centres - (box_xywh[:2] + box_xywh[2:] / 2), axis=1)
    centres = centres[np.argsort(distances, kind="stable")]
    anchor = side / settings.search_factor
    return np.concatenate((centres - anchor / 2, np.full_like(centres, anchor)), axis=1)


def _widest_useful(side: float, size: float, frame_shape: Sequence[int], settings: TrackingSettings) -> float:
    """A region's side, cut down to what shows some of the frame, but not below the normal one."""
    return min(side, max(_LARGEST_TILE_SHARE * max(frame_shape[:2]), settings.search_factor * size))


def _centres(length: float, side: float, step: float) -> FloatArray:
    """Along one axis, the middles of evenly spread tiles that reach from border to border."""
    if side >= length:
        return np.array([length / 2])
    return np.linspace(side / 2, length - side / 2, math.ceil((length - side) / step) + 1)
