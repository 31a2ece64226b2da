"""Run one tracker over one benchmark: what is done stays done, what crashes is tried again."""

from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiatrack.errors import DataError
from aiatrack.evaluation.benchmark import Benchmark
from aiatrack.evaluation.running.events import Advanced, Crashed, Event, Finished
from aiatrack.evaluation.running.local_workers import LocalWorkers
from aiatrack.evaluation.running.manifest import Manifest
from aiatrack.evaluation.running.results_folder import BOX_DIALECT, ResultsFolder
from aiatrack.evaluation.running.sequence_run import SequenceTask, build_task
from aiatrack.evaluation.running.tracker import TrackerFactory
from aiatrack.paths import AnyPath, expand_home


class Observer:
    """Told how an evaluation goes. Does nothing; subclass what you need."""

    def planned(self, sequences: int, frames: int, *, sequences_done: int, frames_done: int) -> None:
        """How much there is to do in all, and how much of it earlier calls have done."""

    def began(self, worker: int, sequence: str, frames: int) -> None:
        """A worker begins with a sequence of so many frames."""

    def advanced(self, worker: int, frames: int) -> None:
        """A worker has done so many frames of its sequence."""

    def finished(self, worker: int, sequence: str) -> None:
        """A sequence is done and written."""

    def crashed(self, worker: int | None, sequence: str, reason: str, *, again: bool) -> None:
        """A sequence came to nothing; `again` if it will be tried once more."""


class Workers(Protocol):
    """Runs sequences somewhere and writes their results into the folder."""

    @property
    def size(self) -> int:
        """How many sequences can run at once."""

    @property
    def has_room(self) -> bool:
        """Whether another sequence can be given out now."""

    def submit(self, task: SequenceTask, *, session: int, attempt: int) -> int:
        """Give out a sequence; returns the worker's number."""

    def wait(self) -> list[Event]:
        """Wait for something to happen to the sequences given out."""


class Pool(Protocol):
    """Where to run: opens workers for a tracker and a folder."""

    @property
    def threads(self) -> int:
        """How many each worker may use; part of what decides results."""

    def __call__(self, factory: TrackerFactory, folder: ResultsFolder) -> AbstractContextManager[Workers]:
        """Open the workers; leaving the context ends them."""


@dataclass(frozen=True)
class LocalPool:
    """So many processes on this machine."""

    jobs: int = 1
    threads: int = 1

    def __call__(self, factory: TrackerFactory, folder: ResultsFolder) -> LocalWorkers:
        """See `Pool`."""
        return LocalWorkers(factory, folder, jobs=self.jobs, threads=self.threads)


@dataclass(frozen=True)
class Outcome:
    """What came of an evaluation.

    Attributes:
        done: names of the sequences that this call ran.
        resumed: of those that earlier calls had run.
        failed: why, by name of those given up.
    """

    done: tuple[str, ...]
    resumed: tuple[str, ...]
    failed: Mapping[str, str]


def run_tracker(
    factory: TrackerFactory,
    benchmark: Benchmark,
    folder: AnyPath,
    *,
    pool: Pool | None = None,
    retries: int = 1,
    observer: Observer | None = None,
) -> Outcome:
    """Run a tracker over all sequences of a benchmark that are not done yet, the longest first.

    Each sequence is run by one worker and written at once; the call may be killed at any moment and made
    again. Boxes and scores do not depend on how many workers there are, on the order of sequences or on
    restarts, if the tracker itself is deterministic.

    Args:
        factory: of the tracker.
        benchmark: opened, with frames.
        folder: for the results of this tracker on this benchmark alone.
        pool: where to run, such as `LocalPool(jobs=2)` or `RayPool`; one process here if None.
        retries: how many times a crashed sequence is tried again.
        observer: told of the progress.

    Raises:
        DataError: the benchmark has no frames, the folder holds results of another copy of it, or the files
            of two sequences would have the same name.
        SettingsError: the folder holds results made in another way.
        OutputError: the folder is in use or cannot be written.
        AiATrackError: the tracker cannot be built. What a single sequence runs into ends in `Outcome.failed`.
    """
    if not benchmark.has_frames:
        raise DataError(
            f"{benchmark.root} holds annotation of {benchmark.description.title} but no frames in its own "
            "layout: trackers need the frames"
        )
    pool = pool or LocalPool()
    identity = _identify(factory, benchmark, pool.threads)
    results = ResultsFolder(expand_home(folder))
    with results.lock_for_runner():
        manifest = results.open_manifest(identity)
        evaluation = _Evaluation(results, manifest, observer or Observer(), retries)
        evaluation.plan(benchmark)
        with pool(factory, results) as workers:
            records = results.read_records()
            manifest.begin_session(jobs=workers.size, records=records, failed=evaluation.failed)
            try:
                evaluation.run(workers)
            finally:
                # After Ctrl-C too: what is done is done.
                manifest.end_session()
    return Outcome(tuple(sorted(evaluation.done)), tuple(evaluation.resumed), evaluation.failed)


def _identify(factory: TrackerFactory, benchmark: Benchmark, threads: int) -> dict[str, Any]:
    return {
        "tracker": {"name": factory.name, **factory.describe()},
        "benchmark": benchmark.name,
        "threads_per_worker": threads,
        "box_decimals": BOX_DIALECT.decimals,
    }


@dataclass
class _Attempt:
    task: SequenceTask
    number: int = 1


@dataclass
class _Evaluation:
    """Who runs what, and what became of it."""

    results: ResultsFolder
    manifest: Manifest
    observer: Observer
    retries: int
    waiting: deque[_Attempt] = field(default_factory=deque)
    running: dict[str, _Attempt] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def plan(self, benchmark: Benchmark) -> None:
        """Sort sequences into done, impossible and waiting, the longest of these first.

        Raises:
            DataError: what is done was done with other data, or two sequences want the same file.
        """
        self.results.check_names([sequence.name for sequence in benchmark.sequences])
        tasks, impossible = [], {}
        for sequence in benchmark.sequences:
            try:
                tasks.append(build_task(sequence, benchmark))
            except DataError as error:
                impossible[sequence.name] = str(error)
        finished = [task for task in tasks if self.results.is_done(task.name, len(task))]
        for task in finished:
            self.results.check_data(task)
        self.resumed = [task.name for task in finished]
        done = set(self.resumed)
        self.observer.planned(
            len(benchmark.sequences),
            sum(map(len, tasks)),
            sequences_done=len(done),
            frames_done=sum(len(task) for task in tasks if task.name in done),
        )
        for name, reason in impossible.items():
            self.failed[name] = reason
            self.observer.crashed(None, name, reason, again=False)
        left = [task for task in tasks if task.name not in done]
        self.waiting.extend(_Attempt(task) for task in sorted(left, key=lambda task: (-len(task), task.name)))

    def run(self, workers: Workers) -> None:
        """Give out sequences until none is left."""
        while self.waiting or self.running:
            while self.waiting and workers.has_room:
                self._give_out(self.waiting.popleft(), workers)
            for event in workers.wait():
                self._take_in(event)

    def _give_out(self, attempt: _Attempt, workers: Workers) -> None:
        task = attempt.task
        self.running[task.name] = attempt
        worker = workers.submit(task, session=self.manifest.session, attempt=attempt.number)
        self.observer.began(worker, task.name, len(task))

    def _take_in(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self.observer.advanced(event.worker, event.frames)
            return
        attempt = self.running.pop(event.sequence)
        # A worker may be killed after its last write and before it could say so.
        written = self.results.is_done(event.sequence, len(attempt.task))
        if isinstance(event, Finished) or written:
            self.done.append(event.sequence)
            self.manifest.add_record(event.sequence, self.results.read_record(event.sequence))
            self.observer.finished(event.worker, event.sequence)
            return
        self._take_crash(event, attempt)

    def _take_crash(self, event: Crashed, attempt: _Attempt) -> None:
        again = attempt.number <= self.retries
        self.observer.crashed(event.worker, event.sequence, event.reason, again=again)
        if again:
            self.waiting.append(_Attempt(attempt.task, attempt.number + 1))
            return
        self.failed[event.sequence] = event.reason
        self.manifest.add_failure(event.sequence, event.reason)
