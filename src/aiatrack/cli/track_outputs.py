"""Where the results of `aiatrack track` go: a film with the boxes drawn, and a file of boxes."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from aiatrack.errors import OutputError
from aiatrack.paths import exists, is_file, is_folder
from aiatrack.tracking import TargetId, TargetState, TrackResult
from aiatrack.video import (
    BoxRow,
    BoxWriter,
    FilmFacts,
    FilmWriter,
    Frame,
    FrameSource,
    check_box_output,
    film_rate,
    open_box_writer,
    open_film,
)
from aiatrack.video.output_path import is_same_file
from aiatrack.video.stream_source import hide_password
from aiatrack.visualization import colour_of, draw_result

Results = Mapping[TargetId, TrackResult]
"""A result for each target that is followed in a frame."""
Sink = Callable[[Frame, Results], None]

_FLASH_S = 0.5
"""How long a target that was found again is drawn as such; a single frame would not be seen."""


def default_output(source: str, ending: str = "tracked.mp4") -> Path:
    """Name of an output when none is given: after the film, folder or address, in the current folder."""
    path = Path(_path_of(source) or "/")
    name = path.resolve().name if is_folder(path) else path.stem
    has_name = is_folder(path) or is_file(path) or _is_address(source)
    return Path(f"{name}.{ending}" if name and has_name else ending)


class Outputs:
    """Where results go; checked when built, touched when opened.

    Args:
        frames: the source, which lends its rate and its sound; none of its files is overwritten.
        film: film to write, or None.
        boxes: file of boxes to write, or None.
        format: of the boxes; None to tell by the ending.
        ids: of all targets; None while nobody knows.
        inputs: more files that are read and never overwritten.

    Raises:
        OutputError: an output cannot be written, or is an input.
        SettingsError: unknown format.
    """

    def __init__(
        self,
        frames: FrameSource,
        *,
        film: Path | None,
        boxes: Path | None,
        format: str | None = None,
        ids: Sequence[TargetId] | None = None,
        inputs: Iterable[Path] = (),
    ) -> None:
        self._frames = frames
        self._inputs = [*frames.files, *inputs]
        self._film_path, self._boxes, self._format = film, boxes, format
        self._box_writer: BoxWriter | None = None
        self._film: FilmWriter | None = None
        if film is not None:
            # A film's file starts with its first frame: nothing is replaced yet.
            self._film = open_film(
                film,
                frame_rate=film_rate(frames),
                audio_from=frames.path,
                pixel_aspect=frames.pixel_aspect,
                inputs=self._inputs,
            )
        if film is not None and boxes is not None and is_same_file(film, boxes):
            raise OutputError(f"{film} cannot hold both the film and the boxes: give two names")
        if boxes is not None:
            check_box_output(boxes, format=format, ids=ids, inputs=self._inputs)

    @property
    def have_standard_output(self) -> bool:
        """Whether an output is what is printed to, such as `/dev/stdout`: nothing else must go there."""
        with suppress(OSError, ValueError):  # closed, or no file, as in a notebook
            printed = os.fstat(sys.stdout.fileno())
            outputs = [path for path in (self._film_path, self._boxes) if path is not None and exists(path)]
            return any(os.path.samestat(path.stat(), printed) for path in outputs)
        return False

    @property
    def names(self) -> str:
        """What there is to be found: the journal, where the document of boxes could not be made."""
        journal = self._box_writer.unfinished if self._box_writer is not None else None
        return " and ".join(
            str(path) for path in (self._film_path, journal or self._boxes) if path is not None
        )

    def open(self, first: Frame, ids: Sequence[TargetId], stack: ExitStack) -> list[Sink]:
        """Open every output until `stack` is left; each takes a frame and its results.

        Args:
            first: the first frame that will be written.
            ids: of all targets that there will be.
            stack: closes the outputs.

        Raises:
            OutputError: an output cannot be written.
        """
        sinks: list[Sink] = []
        if self._boxes is not None:
            boxes = open_box_writer(
                self._boxes, inputs=self._inputs, format=self._format, ids=ids, film=self._facts(first)
            )
            self._box_writer = stack.enter_context(boxes)
            sinks.append(lambda frame, results: _write_rows(boxes, frame, results))
        if self._film is not None:
            film = stack.enter_context(self._film)
            sinks.append(FilmSink(film, ids))
        return sinks

    def film_goes_on(self) -> None:
        """Tell the file of boxes that the source has more frames, in which nobody looked."""
        if self._box_writer is not None:
            self._box_writer.film_goes_on()

    def _facts(self, first: Frame) -> FilmFacts:
        height, width = first.image.shape[:2]
        rate = self._frames.frame_rate
        name = PurePath(_path_of(self._frames.name)).name or self._frames.name
        return FilmFacts(name, width, height, None if rate is None else float(rate), self._frames.image_names)


def _is_address(source: str) -> bool:
    return "://" in source


def _path_of(source: str) -> str:
    """Of an address the path alone: what is around it may be a secret that is nobody else's business."""
    if not _is_address(source):
        return source
    with suppress(ValueError):  # half of an IPv6 address
        return unquote(urlsplit(hide_password(source)).path)
    return ""


def _write_rows(boxes: BoxWriter, frame: Frame, results: Results) -> None:
    rows = [
        BoxRow(
            frame.index,
            frame.time_s,
            result.box_xywh,
            result.score,
            id=target_id,
            presence=result.presence,
            state=result.state.value,
        )
        for target_id, result in results.items()
    ]
    boxes.write_frame(frame.index, frame.time_s, rows)


class FilmSink:
    """Draws results into a copy of the frame: a colour a target, a stroke for each state.

    Args:
        film: to write to.
        ids: of all targets, whose place is their colour.
    """

    def __init__(self, film: FilmWriter, ids: Sequence[TargetId]) -> None:
        self._film = film
        self._colours = {target_id: colour_of(place) for place, target_id in enumerate(ids)}
        self._found_again_s: dict[TargetId, float] = {}

    def __call__(self, frame: Frame, results: Results) -> None:
        """Draw and write one frame."""
        picture = frame.image.copy()
        for target_id, result in results.items():
            draw_result(
                picture,
                result.box_xywh,
                result.predicted_iou if result.presence is None else result.presence,
                name=self._name(target_id),
                color=self._colours[target_id],
                state=self._shown_state(target_id, result.state, frame.time_s).value,
            )
        self._film.write(Frame(picture, frame.index, frame.time_s))

    def _name(self, target_id: TargetId) -> str | None:
        """A lone target needs no number."""
        is_alone = len(self._colours) == 1 and isinstance(target_id, int)
        return None if is_alone else str(target_id)

    def _shown_state(self, target_id: TargetId, state: TargetState, time_s: float) -> TargetState:
        if state is TargetState.RECOVERED:
            self._found_again_s[target_id] = time_s
        since_s = time_s - self._found_again_s.get(target_id, float("-inf"))
        return TargetState.RECOVERED if state is TargetState.TRACKED and since_s < _FLASH_S else state
