"""The network compiled by PyTorch: fused kernels, and on an NVIDIA GPU whole verbs replayed as CUDA graphs.

Legend: B batch of crops, R distinct short-term references.
"""

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch._dynamo.exc import FailOnRecompileLimitHit

from aiatrack.model import AiATrack, Memory, Positions, ProjectedReferences, Reference
from aiatrack.paths import user_cache
from aiatrack.runtimes.eager import EagerNetwork, pack_location
from aiatrack.tracking import ReferenceSet

_LARGEST_SHAPES = 64
"""Shapes of a verb that PyTorch may compile before it refuses; further ones run eagerly."""

_TOLERANCE = {False: 0.02, True: 0.2}
"""How far compiled outputs may lie from eager ones, relative to their norm, by whether both round to
bfloat16: the shipped networks' differ from float32 by up to 0.06 then."""

Outputs = TypeVar("Outputs", bound=tuple[Any, ...] | Tensor)
_log = logging.getLogger(__name__)


class CompiledNetwork(EagerNetwork):
    """An `EagerNetwork` whose verbs are compiled, once for each shape.

    To keep shapes few, batches are filled up to the next power of two, those of `remember` to one that was
    encoded. Compiling takes minutes the first time; what it made is kept on disk for the next. Each shape's
    first answers are compared with the eager ones: where they differ, a warning is logged and that shape runs
    eagerly, for a compiler's mistake would otherwise look like a bad tracker.

    Args:
        network: with its weights loaded; taken over as by `EagerNetwork`.
        device: where to run it.
        bf16: as in `EagerNetwork`.
        warm_up_ensembles: compile now, for one target, for as many distinct short-term references, so that
            tracking need not wait; smaller ensembles are filled up to it. 0: leave all to the first frames,
            and compile for each size.
        backend: which of PyTorch's compilers; `eager` only traces, as tests do.
    """

    def __init__(
        self,
        network: AiATrack,
        device: torch.device,
        *,
        bf16: bool = False,
        warm_up_ensembles: int = 3,
        backend: str | Callable[..., Any] = "inductor",
    ) -> None:
        super().__init__(network, device, bf16=bf16)
        _keep_kernels_on_disk()
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _LARGEST_SHAPES)
        self._recorded = device.type == "cuda" and backend == "inductor"
        options = {"freezing": True} if backend == "inductor" and not self._recorded else None
        compile = partial(torch.compile, fullgraph=True, dynamic=False, backend=backend, options=options)
        build = partial(_Verb, compile=compile, tolerance=_TOLERANCE[bf16], recorded=self._recorded)
        self._encode_compiled: _Verb[Memory] = build(self._network.encode_placed)
        self._remember_compiled: _Verb[Reference] = build(self._network.remember)
        self._locate_compiled: _Verb[Tensor] = build(_locate_with(self._network))
        self._smallest_ensemble = max(warm_up_ensembles, 1)
        self._batches: set[int] = set()
        if warm_up_ensembles:
            self._warm_up(warm_up_ensembles)

    def _encode(self, crops: Tensor, positions: Positions) -> Memory:
        filled = _next_power_of_two(len(crops))
        self._batches.add(filled)
        return self._run(self._encode_compiled, (crops, positions), filled)

    def _remember(self, memory: Memory, boxes_xywh: Tensor) -> Reference:
        return self._run(self._remember_compiled, (memory, boxes_xywh), self._batch_of(len(boxes_xywh)))

    def _locate(
        self,
        search: Memory,
        long_term: ProjectedReferences,
        short_term: list[ProjectedReferences],
        counts: Tensor | None,
    ) -> Tensor:
        if counts is None and short_term:  # one graph for both
            counts = torch.ones(short_term[0].keys.shape[:2], device=self._device)
        filled = self._batch_of(len(search.tokens))
        return self._run(self._locate_compiled, (search, long_term, short_term, counts), filled)

    def _batch_of(self, count: int) -> int:
        """The smallest batch encoded so far that holds so many."""
        return min((batch for batch in self._batches if batch >= count), default=_next_power_of_two(count))

    def _run(self, verb: "_Verb[Outputs]", inputs: tuple[Any, ...], filled: int) -> Outputs:
        """Run a verb on inputs whose batch is filled up, and cut its outputs to the batch again."""
        batch = len(next(_tensors(inputs)))
        outputs = verb(*_map(inputs, lambda part: _fill(part, filled)))
        if not self._recorded and filled == batch:
            return outputs
        # The next replay overwrites them; and what is kept of a few must not hold what filled them up.
        return _map(outputs, lambda part: part[:batch].clone())  # type: ignore[no-any-return]

    def _warm_up(self, ensemble: int) -> None:
        """Compile what tracking one target needs, by doing it."""
        size = self.crop_size
        crops = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
        memory = self.encode(crops, np.zeros((1, size, size), np.bool_))
        (reference,) = self.remember(memory, [0], np.array([[0.4, 0.4, 0.2, 0.2]], np.float32))
        self.locate(
            memory, [ReferenceSet(reference.long_term, [reference.short_term] * ensemble, [1] * ensemble)]
        )


class _Verb(Generic[Outputs]):
    """A verb that is compiled, checked and perhaps recorded at the first call with inputs of a shape.

    Args:
        verb: from tensors, and named tuples and lists of them, to the same.
        compile: makes a faster one of it.
        tolerance: see `_TOLERANCE`.
        recorded: whether to replay it as a CUDA graph; each replay overwrites the outputs of the last.
    """

    def __init__(
        self,
        verb: Callable[..., Outputs],
        *,
        compile: Callable[..., Callable[..., Outputs]],
        tolerance: float,
        recorded: bool,
    ) -> None:
        self._verb = verb
        self._compiled = compile(verb)
        self._tolerance = tolerance
        self._recorded = recorded
        self._ready: dict[tuple[torch.Size, ...], Callable[..., Outputs]] = {}

    def __call__(self, *inputs: Any) -> Outputs:
        shapes = tuple(part.shape for part in _tensors(inputs))
        if shapes not in self._ready:
            self._ready[shapes] = self._prepare(inputs)
        return self._ready[shapes](*inputs)

    def _prepare(self, inputs: tuple[Any, ...]) -> Callable[..., Outputs]:
        try:
            outputs = self._compiled(*inputs)
        except FailOnRecompileLimitHit:  # the limit is of the process: other networks count as well
            _log.warning(
                "PyTorch compiles no more shapes in this process: further ones run without it; consider "
                "runtime eager, or a smaller ensemble_size"
            )
            return self._verb
        error = _largest_error(outputs, self._verb(*inputs))
        if not error <= self._tolerance:
            _log.warning(
                "PyTorch's compiler changed what the network computes by %.2g of its outputs, more than "
                "rounding does: these shapes run without it; consider runtime eager",
                error,
            )
            return self._verb
        return _Recording(self._compiled, inputs) if self._recorded else self._compiled


class _Recording(Generic[Outputs]):
    """A function of fixed shapes, recorded as a CUDA graph: to replay it is one launch."""

    def __init__(self, function: Callable[..., Outputs], inputs: tuple[Any, ...]) -> None:
        own = _map(inputs, torch.clone)
        self._inputs = list(_tensors(own))
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._inputs[0].device):  # which need not be the usual one
            # Libraries set themselves up at the first run on a stream other than the usual one.
            aside: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            usual = torch.cuda.current_stream()
            aside.wait_stream(usual)
            with torch.cuda.stream(aside):
                function(*own)
            usual.wait_stream(aside)
            with torch.cuda.graph(self._graph, stream=aside):
                self._outputs = function(*own)

    def __call__(self, *inputs: Any) -> Outputs:
        """Compute outputs that the next call overwrites."""
        for own, given in zip(self._inputs, _tensors(inputs), strict=True):
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._outputs


def _largest_error(ours: Any, expected: Any) -> float:
    """Largest distance of an output from the expected one, relative to the norm of that; NaN where one is."""
    errors = [
        ((our.float() - theirs.float()).norm() / theirs.float().norm().clamp(min=1e-9))
        for our, theirs in zip(_tensors(ours), _tensors(expected), strict=True)
    ]
    return float(torch.stack(errors).max())


def _locate_with(network: AiATrack) -> Callable[..., Tensor]:
    """The verb with its answer packed: one output to copy from a replay."""

    def locate(
        search: Memory,
        long_term: ProjectedReferences,
        short_term: list[ProjectedReferences],
        counts: Tensor | None,
    ) -> Tensor:
        return pack_location(network.locate(search, long_term, short_term, counts))

    return locate


def _keep_kernels_on_disk() -> None:
    """Name a folder that outlives a restart, unless the user has; PyTorch reads it when it compiles."""
    if (cache := user_cache()) is not None:  # else PyTorch's own choice, which is a temporary folder
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache / "inductor"))


def _next_power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _tensors(parts: Any) -> Iterator[Tensor]:
    """All tensors of nested named tuples, tuples and lists, in order."""
    if isinstance(parts, Tensor):
        yield parts
    elif parts is not None:
        for part in parts:
            yield from _tensors(part)


def _map(parts: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply a change to every tensor of nested named tuples, tuples and lists."""
    if isinstance(parts, Tensor):
        return change(parts)
    if parts is None:
        return None
    changed = [_map(part, change) for part in parts]
    return type(parts)(*changed) if hasattr(parts, "_fields") else type(parts)(changed)


def _fill(part: Tensor, batch: int) -> Tensor:
    """Fill a batch up with its first member; contiguous, since another layout would be compiled anew."""
    missing = batch - len(part)
    if not missing:
        return part.contiguous()
    return torch.cat((part, part[:1].expand(missing, *part.shape[1:])))
