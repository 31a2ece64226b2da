"""Workers on this machine: one process each, replaced when it dies."""

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType

from typing_extensions import Self

from aiatrack.errors import AiATrackError, TrackingError
from aiatrack.evaluation.running.events import Advanced, Crashed, Event, Finished
from aiatrack.evaluation.running.results_folder import ResultsFolder
from aiatrack.evaluation.running.sequence_run import SequenceTask
from aiatrack.evaluation.running.tracker import TrackerFactory
from aiatrack.evaluation.running.worker import SequenceWorker, describe_crash

_PATIENCE_S = 5.0
"""How long a worker may take to end by itself."""


@dataclass(frozen=True)
class Assignment:
    """A sequence for a worker, and what its record must say."""

    task: SequenceTask
    session: int
    attempt: int


@dataclass(frozen=True)
class _Refused:
    """The worker cannot build its tracker; the others could not either."""

    error: AiATrackError


class LocalWorkers:
    """A fixed number of worker processes; a context manager that ends them.

    Args:
        factory: of the tracker.
        folder: of the results, which the workers write themselves.
        jobs: how many workers.
        threads: how many threads each may use.
    """

    def __init__(self, factory: TrackerFactory, folder: ResultsFolder, *, jobs: int, threads: int) -> None:
        # Spawned processes inherit no threads, locks or GPU contexts of ours.
        self._context = multiprocessing.get_context("spawn")
        self._factory, self._folder, self._threads = factory, folder, threads
        self._seats: list[_Seat | None] = [None] * jobs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seats = [seat for seat in self._seats if seat is not None]
        for seat in seats:
            seat.connection.close()
            if seat.assignment is not None:
                seat.process.terminate()
        for seat in seats:
            _wait_for_end(seat.process)

    @property
    def size(self) -> int:
        """How many sequences can run at once."""
        return len(self._seats)

    @property
    def has_room(self) -> bool:
        """Whether a worker is idle."""
        return any(seat is None or seat.assignment is None for seat in self._seats)

    def submit(self, task: SequenceTask, *, session: int, attempt: int) -> int:
        """Give a sequence to an idle worker; returns the worker's number."""
        number = next(n for n, seat in enumerate(self._seats) if seat is None or seat.assignment is None)
        seat = self._seats[number] or self._start(number)
        seat.assignment = Assignment(task, session, attempt)
        # A worker that died while idle: `wait` will see that and report the sequence as crashed.
        with suppress(OSError):
            seat.connection.send(seat.assignment)
        return number

    def wait(self) -> list[Event]:
        """Wait until workers have something to tell.

        Raises:
            AiATrackError: a tracker cannot be built.
        """
        busy = {
            seat.connection: number for number, seat in enumerate(self._seats) if seat and seat.assignment
        }
        ready = wait(list(busy))
        return [self._receive(busy[connection]) for connection in busy if connection in ready]

    def _start(self, number: int) -> "_Seat":
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work,
            args=(theirs, number, self._factory, self._folder, self._threads),
            name=f"aiatrack-worker-{number}",
        )
        process.start()
        # With our copy closed, the death of the worker ends the connection.
        theirs.close()
        seat = _Seat(process, ours)
        self._seats[number] = seat
        return seat

    def _receive(self, number: int) -> Event:
        seat = self._seats[number]
        assert seat is not None and seat.assignment is not None
        name = seat.assignment.task.name
        try:
            message = seat.connection.recv()
        except (EOFError, OSError):
            message = Crashed(number, name, _describe_end(seat.process))
        if isinstance(message, _Refused):
            raise message.error
        assert isinstance(message, Event)
        if isinstance(message, Finished):
            seat.assignment = None
        elif isinstance(message, Crashed):
            # What a crash leaves behind, on a GPU above all, is not to be trusted: the process ends itself.
            self._seats[number] = None
            _wait_for_end(seat.process)
        return message


@dataclass
class _Seat:
    process: BaseProcess
    connection: "Connection[object, object]"
    assignment: Assignment | None = None


def _wait_for_end(process: BaseProcess) -> None:
    """Wait until a process has ended; one that threads of a foreign tracker keep alive is killed."""
    process.join(_PATIENCE_S)
    if process.is_alive():
        process.kill()
        process.join()


def _describe_end(process: BaseProcess) -> str:
    _wait_for_end(process)
    code = process.exitcode or 0
    if code < 0:
        return f"its worker process was killed ({signal.Signals(-code).name})"
    return f"its worker process ended (exit code {code})"


def _work(
    connection: "Connection[object, object]",
    number: int,
    factory: TrackerFactory,
    folder: ResultsFolder,
    threads: int,
) -> None:
    """The life of a worker process."""
    # Ctrl-C reaches the whole group; the runner decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with folder.lock_for_worker(), _EndWithRunner():
        with _ReportAndEnd(lambda error: connection.send(_Refused(_as_ours(error)))):
            worker = SequenceWorker(factory, threads)
        while True:
            _run_next(connection, number, worker, folder)


def _run_next(
    connection: "Connection[object, object]", number: int, worker: SequenceWorker, folder: ResultsFolder
) -> None:
    assignment = connection.recv()
    assert isinstance(assignment, Assignment)
    name = assignment.task.name
    with _ReportAndEnd(lambda error: connection.send(Crashed(number, name, describe_crash(error)))):
        run = worker.run(
            assignment.task,
            report=lambda frames: connection.send(Advanced(number, name, frames)),
            check=_check_runner,
        )
        folder.save_run(run, assignment.task, session=assignment.session, attempt=assignment.attempt)
    connection.send(Finished(number, name))


def _check_runner() -> None:
    """End this process between two frames if the one that wanted the result is dead."""
    runner = multiprocessing.parent_process()
    if runner is not None and not runner.is_alive():
        raise SystemExit


def _as_ours(error: Exception) -> AiATrackError:
    if isinstance(error, AiATrackError):
        return error
    return TrackingError(f"the tracker cannot be built: {describe_crash(error)}")


class _EndWithRunner(AbstractContextManager[None]):
    """The runner closes or loses its end of the connection when it needs no worker any more."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return isinstance(error, (EOFError, BrokenPipeError, ConnectionResetError))


@dataclass
class _ReportAndEnd(AbstractContextManager[None]):
    """Tell the runner whatever a foreign tracker raised, then end the process."""

    report: Callable[[Exception], None]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.report(error)
            raise SystemExit(1)
