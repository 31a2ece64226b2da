"""Workers on a Ray cluster: results come back to the machine that asked, which alone writes them.

Frames must be readable under the same paths, and this package importable, on every machine of the cluster.
"""

import importlib
import socket
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from typing_extensions import Self

from aiatrack.errors import AiATrackError, MissingExtraError, SettingsError, TrackingError
from aiatrack.evaluation.running.events import Crashed, Event, Finished
from aiatrack.evaluation.running.results_folder import ResultsFolder
from aiatrack.evaluation.running.sequence_run import SequenceTask
from aiatrack.evaluation.running.tracker import TrackerFactory
from aiatrack.evaluation.running.worker import SequenceWorker, describe_crash

LOCAL = "local"
"""In place of an address: start a small cluster on this machine."""

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class RayPool:
    """At most so many workers on a cluster; a `Pool`.

    Args:
        address: of the cluster, such as `auto` or `ray://head:10001`; or `local`.
        jobs: workers at most; fewer where the cluster has no room.
        threads: processor cores of each worker.
    """

    address: str
    jobs: int = 1
    threads: int = 1

    def __call__(self, factory: TrackerFactory, folder: ResultsFolder) -> "RayWorkers":
        """See `Pool`.

        Raises:
            MissingExtraError: Ray is not installed.
            SettingsError: no cluster answers, or it has no room for a single worker.
        """
        return RayWorkers(self, factory, folder)


@dataclass
class _Actor:
    """A worker process somewhere in the cluster."""

    handle: Any
    number: int


@dataclass
class _Run:
    """A sequence that an actor is busy with."""

    actor: _Actor
    task: SequenceTask
    session: int
    attempt: int


@dataclass
class RayWorkers:
    """Actors that each run one sequence at a time; a context manager that ends them.

    An actor that is lost with its machine is replaced as long as the cluster has room for another.
    """

    pool: RayPool
    factory: TrackerFactory
    folder: ResultsFolder
    _ray: Any = field(init=False, repr=False)
    _idle: list[_Actor] = field(default_factory=list, init=False)
    _runs: dict[Any, _Run] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        self._ray = _import_ray()
        local = self.pool.address == LOCAL
        cores = self.pool.jobs * self.pool.threads
        try:
            _knock(self.pool.address)
            self._ray.init(
                address=LOCAL if local else self.pool.address,
                num_cpus=cores if local else None,
                include_dashboard=False if local else None,
                log_to_driver=False,
                logging_level="error",
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise SettingsError(
                f"cannot reach a Ray cluster at {self.pool.address!r} ({error}): give its address, or local"
            ) from error
        if not self.size:
            self._ray.shutdown()
            raise SettingsError(
                f"the Ray cluster has no room for a worker of {self.pool.threads} threads"
                f"{' and a GPU' if self.factory.needs_gpu else ''}: ask for fewer threads"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in (*self._idle, *(run.actor for run in self._runs.values())):
            self._ray.kill(actor.handle)
        self._ray.shutdown()

    @property
    def size(self) -> int:
        """How many workers the living machines of the cluster have room for, at most as many as asked for."""
        resources = self._ray.cluster_resources()
        sizes = [self.pool.jobs, int(resources.get("CPU", 0) // self.pool.threads)]
        if self.factory.needs_gpu:
            sizes.append(int(resources.get("GPU", 0)))
        return min(sizes)

    @property
    def has_room(self) -> bool:
        """Whether a worker is idle, or another can be had."""
        return bool(self._idle) or len(self._runs) < self.size

    def submit(self, task: SequenceTask, *, session: int, attempt: int) -> int:
        """Give a sequence to a worker; returns the worker's number."""
        actor = self._idle.pop() if self._idle else self._start()
        promise = actor.handle.run.remote(task)
        self._runs[promise] = _Run(actor, task, session, attempt)
        return actor.number

    def wait(self) -> list[Event]:
        """Wait until a sequence has come to an end, or a while for the cluster to find room again.

        Raises:
            AiATrackError: a tracker cannot be built, or a result not written.
        """
        ready, _ = self._ray.wait(list(self._runs), timeout=_POLL_SECONDS) if self._runs else ((), ())
        return [self._receive(promise) for promise in ready]

    def _start(self) -> _Actor:
        busy = {run.actor.number for run in self._runs.values()}
        number = next(number for number in range(len(busy) + 1) if number not in busy)
        remote = self._ray.remote(
            num_cpus=self.pool.threads, num_gpus=int(self.factory.needs_gpu), max_restarts=0
        )
        return _Actor(remote(SequenceWorker).remote(self.factory, self.pool.threads), number)

    def _receive(self, promise: Any) -> Event:
        run = self._runs.pop(promise)
        lost, raised = self._ray.exceptions.RayActorError, self._ray.exceptions.RayTaskError
        try:
            result = self._ray.get(promise)
        except lost as error:
            if getattr(error, "actor_init_failed", False):
                raise TrackingError(f"a worker of the cluster cannot build the tracker: {error}") from error
            return Crashed(run.actor.number, run.task.name, "its worker on the cluster was lost")
        except raised as error:
            # What a crash leaves behind is not to be trusted: the next sequence gets a new process.
            self._ray.kill(run.actor.handle)
            return Crashed(run.actor.number, run.task.name, _describe_cause(error))
        self.folder.save_run(result, run.task, session=run.session, attempt=run.attempt)
        self._idle.append(run.actor)
        return Finished(run.actor.number, run.task.name)


def _knock(address: str) -> None:
    """Find out quickly whether anybody is there; Ray itself would go on trying for minutes.

    Raises:
        OSError: nobody is.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_POLL_SECONDS * 5).close()


def _describe_cause(error: Any) -> str:
    cause = getattr(error, "cause", None)
    return str(cause) if isinstance(cause, AiATrackError) else describe_crash(error)


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtraError(
            "running on a cluster needs Ray: pip install 'aiatrack[cluster]' on every machine of it"
        ) from error
