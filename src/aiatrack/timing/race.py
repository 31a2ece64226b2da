"""Time contenders by turns, so that a machine's moods fall on all of them alike."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from aiatrack.timing.contenders import Contender, Follower
from aiatrack.timing.film import Box, TimingFilm
from aiatrack.timing.spread import Spread
from aiatrack.timing.stages import NETWORK_STAGES, StageClock
from aiatrack.video import Frame, Upcoming, open_film, open_frames, read_ahead
from aiatrack.video.film_writer import MAX_FRAME_RATE
from aiatrack.visualization import draw_result

WARM_UP_FRAMES = 5
"""Updates before the clock starts, in every pass; the start itself is never timed."""


@dataclass(frozen=True)
class Timing:
    """What was measured of one contender.

    Attributes:
        contender: whose they are.
        update_ms: of one frame, decoded before, all targets; None where it did not run, or looks ahead.
        stages_ms: parts of it; `rest` is what remains. `remember` takes part in some frames only, and is
            of those. On a GPU, of a pass of their own, in which each is waited for.
        remembered_share: of frames in which `remember` took part.
        film_frames_per_s: decoding and tracking together, without drawing; a reading a round.
        film_cpu_ms: time of all cores that a frame of that takes; other work on the machine hardly moves it.
    """

    contender: Contender
    update_ms: Spread | None
    stages_ms: dict[str, Spread]
    remembered_share: float
    film_frames_per_s: Spread | None
    film_cpu_ms: Spread | None


@dataclass(frozen=True)
class FilmTimes:
    """What a frame of the film costs around the tracker, ms.

    Attributes:
        decode_ms: alone on the machine, a reading a round.
        draw_ms: box and label of one target, a reading a frame.
        encode_film_ms: H.264 on disk, a reading a round.
    """

    decode_ms: Spread
    draw_ms: Spread
    encode_film_ms: Spread


class _Readings:
    def __init__(self) -> None:
        self.update_s: list[float] = []
        self.stages_s: defaultdict[str, list[float]] = defaultdict(list)
        self.film_s: list[float] = []
        self.film_cpu_s: list[float] = []


def time_contenders(
    contenders: Sequence[Contender],
    film: TimingFilm,
    rounds: int,
    report: Callable[[str], None] = lambda _: None,
) -> list[Timing]:
    """Time all contenders in turn, round after round.

    Args:
        contenders: those without a follower come back without times.
        film: with `WARM_UP_FRAMES` and more after the first frame.
        rounds: how often each has its turn.
        report: is told who is next.
    """
    readings = [_Readings() for _ in contenders]
    for turn in range(rounds):
        for contender, taken in zip(contenders, readings, strict=True):
            report(contender.title)
            if contender.follower is not None:
                boxes = film.boxes_of(contender.targets)
                if contender.look_ahead == 1:
                    _time_updates(contender, film, boxes, taken)
                elif turn == 0:
                    # How many are looked at together varies, and runtimes prepare for each number.
                    _time_film_through(contender.follower, film, boxes, contender.look_ahead, _Readings())
                _time_film_through(contender.follower, film, boxes, contender.look_ahead, taken)
    return [_sum_up(contender, taken) for contender, taken in zip(contenders, readings, strict=True)]


def time_film(film: TimingFilm, rounds: int) -> FilmTimes:
    """Time decoding, drawing and writing, each alone.

    Args:
        film: its frames.
        rounds: how often.
    """
    decode, draw, encode = [], [], []
    count = len(film.images)
    for _ in range(rounds):
        start = time.perf_counter()
        with open_frames(film.path) as frames:
            for _frame in islice(frames, count):
                pass
            decode.append((time.perf_counter() - start) / count)
        for image in film.images:
            canvas = image.copy()
            start = time.perf_counter()
            draw_result(canvas, film.boxes[0], 0.5)
            draw.append(time.perf_counter() - start)
        encode.append(_time_writing(film))
    return FilmTimes(*(_in_ms(seconds) for seconds in (decode, draw, encode)))


def _time_writing(film: TimingFilm) -> float:
    rate = min(film.frame_rate, MAX_FRAME_RATE)  # of a film, it is no more than a hint
    with TemporaryDirectory(prefix="aiatrack-timing-") as folder:
        start = time.perf_counter()
        with open_film(Path(folder) / "written.mp4", frame_rate=rate) as writer:
            for index, image in enumerate(film.images):
                writer.write(Frame(image, index, index / rate))
        return (time.perf_counter() - start) / len(film.images)


def _time_updates(contender: Contender, film: TimingFilm, boxes: list[Box], taken: _Readings) -> None:
    """Frames from memory; with the stages apart where there are any."""
    clock = contender.clock
    is_apart = clock is not None and clock.waits  # then what times the stages would hold up the whole
    if clock is None or is_apart:
        taken.update_s += [seconds for seconds, _ in _time_frames(contender.follower, film, boxes, None)]
    if clock is None:
        return
    for seconds, stages in _time_frames(contender.staged, film, boxes, clock):
        if not is_apart:
            taken.update_s.append(seconds)
        for name, share in (stages | {"rest": seconds - sum(stages.values())}).items():
            taken.stages_s[name].append(share)


def _time_frames(
    follower: Follower | None, film: TimingFilm, boxes: list[Box], clock: StageClock | None
) -> Iterator[tuple[float, dict[str, float]]]:
    """Seconds of each update after the warm-up, and of its stages."""
    if follower is None:
        return
    follower.start(film.images[0], boxes)
    for index, image in enumerate(film.images[1:]):
        if clock is not None:
            clock.take()
        start = time.perf_counter()
        follower.update(image)
        seconds = time.perf_counter() - start
        if index >= WARM_UP_FRAMES:
            yield seconds, clock.take() if clock is not None else {}


def _time_film_through(
    follower: Follower, film: TimingFilm, boxes: list[Box], look_ahead: int, taken: _Readings
) -> None:
    """Decoding and tracking at once."""
    with read_ahead(open_frames(film.path)) as frames:
        upcoming = Upcoming(frames, look_ahead)
        follower.start(next(frames).image, boxes)
        _follow(follower, upcoming, WARM_UP_FRAMES)
        count = len(film.images) - 1 - WARM_UP_FRAMES
        start, cpu_start = time.perf_counter(), time.process_time()
        _follow(follower, upcoming, count)
        taken.film_s.append((time.perf_counter() - start) / count)
        taken.film_cpu_s.append((time.process_time() - cpu_start) / count)


def _follow(follower: Follower, upcoming: Upcoming, count: int) -> None:
    while count and (frames := upcoming.peek()[:count]):
        found = follower.update_ahead([frame.image for frame in frames])
        upcoming.take(found)
        count -= found


def _sum_up(contender: Contender, taken: _Readings) -> Timing:
    if contender.follower is None:
        return Timing(contender, None, {}, 0.0, None, None)
    stages = {
        name: _in_ms(taken.stages_s[name]) for name in (*NETWORK_STAGES, "rest") if taken.stages_s[name]
    }
    return Timing(
        contender,
        _in_ms(taken.update_s) if taken.update_s else None,
        stages,
        len(taken.stages_s["remember"]) / max(1, len(taken.update_s)),
        Spread.of([1 / seconds for seconds in taken.film_s]),
        _in_ms(taken.film_cpu_s),
    )


def _in_ms(seconds: Sequence[float]) -> Spread:
    return Spread.of([1000 * value for value in seconds])
