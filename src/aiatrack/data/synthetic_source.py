"""Films of the synthetic world written down as an ordinary source: images, masks and JSON lines."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aiatrack.atomic_files import write_text
from aiatrack.data.synthetic import SyntheticFrame, SyntheticWorld, random_world_settings
from aiatrack.errors import OutputError
from aiatrack.paths import exists

_LEAST_VISIBILITY = 0.3
_QUALITY = 92


def write_synthetic_source(
    folder: Path,
    *,
    films: int,
    seed: int = 0,
    size: tuple[int, int] = (320, 240),
    frames: int = 60,
    frame_step: int = 5,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Render films of random worlds; film i depends on `seed` and i alone.

    Films that are already there are not rendered again, so that a killed call goes on where it was. Films of
    other sizes and lengths may lie beside them.

    Args:
        folder: where the source goes; made if missing.
        films: how many.
        seed: of all of them.
        size: width and height of the frames, px.
        frames: length of a film.
        frame_step: every how many frames one is written.
        progress: told after every film.

    Returns:
        the file of JSON lines, for a source of layout `json_lines`.

    Raises:
        OutputError: the folder cannot be written to.
    """
    path = folder / f"synthetic-{seed}-{films}x{frames}-{size[0]}x{size[1]}-{frame_step}.jsonl"
    if exists(path):
        return path
    rows: list[str] = []
    try:
        for film in range(films):
            rows += _film_rows(folder, film, seed, (*size, frames), frame_step)
            if progress is not None:
                progress("synthetic", film + 1, films)
        write_text(path, "\n".join(rows) + "\n")
    except OSError as error:
        raise OutputError(
            f"cannot write synthetic films to {folder}: {error}; choose another folder"
        ) from error
    return path


def _film_rows(folder: Path, film: int, seed: int, shape: tuple[int, int, int], frame_step: int) -> list[str]:
    """Rows of one film of `shape` width, height and frames; rendered now if it is not there."""
    name, sides = f"film-{seed}-{film:05d}", "x".join(map(str, shape))
    place = f"{name}-{sides}"
    done = folder / place / f"rows-{sides}-{frame_step}.jsonl"
    if not exists(done):
        (folder / place).mkdir(parents=True, exist_ok=True)
        settings = random_world_settings(np.random.default_rng((seed, film)), shape[:2], shape[2])
        # By its name alone, whatever its size, a film is for training or for validation.
        rows = [
            {**row, "video": name}
            for row in _render_film(SyntheticWorld(settings), folder, place, frame_step)
        ]
        write_text(done, "\n".join(json.dumps(row) for row in rows))
    return done.read_text(encoding="utf-8").splitlines()


def _render_film(
    world: SyntheticWorld, folder: Path, place: str, frame_step: int
) -> Iterator[dict[str, Any]]:
    """Write the frames into the folder `place` and return their rows, which lack the video's name."""
    for index in range(0, len(world), frame_step):
        frame = world.frame(index)
        image, mask = f"{place}/{index:04d}.webp", f"{place}/{index:04d}_mask.png"
        _write_image(folder / image, frame.image[..., ::-1])
        _write_image(folder / mask, frame.masks[0].astype(np.uint8))
        yield {
            "image": image,
            "width": frame.image.shape[1],
            "height": frame.image.shape[0],
            **_target(frame),
            "mask": mask,
            "frame": index,
        }


def _target(frame: SyntheticFrame) -> dict[str, Any]:
    """The first target's box, where enough of it is in sight."""
    if not frame.visibility[0] >= _LEAST_VISIBILITY:
        return {"boxes": [], "labels": []}
    return {"boxes": [[round(float(value), 2) for value in frame.boxes_xywh[0]]], "labels": ["thing"]}


def _write_image(path: Path, pixels: Any) -> None:
    options = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY] if path.suffix == ".webp" else []
    # Not `imwrite`, which on Windows cannot open a file whose name is not ASCII.
    path.write_bytes(cv2.imencode(path.suffix, np.ascontiguousarray(pixels), options)[1].tobytes())
