"""The network compiled by PyTorch: fused kernels, and on an NVIDIA GPU whole verbs replayed as CUDA graphs.

Legend: B batch of crops, R distinct short-term references.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from aiatrack.model import AiATrack, Memory, Positions, ProjectedReferences, Reference
from aiatrack.runtimes.eager import EagerNetwork, pack_location
from aiatrack.tracking import ReferenceSet

_LARGEST_SHAPES = 64
"""Shapes of a verb that PyTorch may compile before it refuses."""

_RUNS_TO_REPLAY = 3
"""PyTorch runs a compiled verb once as it is, records it the second time, and replays it from then on."""

Outputs = TypeVar("Outputs", bound=tuple[Any, ...] | Tensor)


class CompiledNetwork(EagerNetwork):
    """An `EagerNetwork` whose verbs are compiled, once for each shape.

    To keep shapes few, batches are filled up to the next power of two, those of `remember` to one that was
    encoded. Compiling takes minutes the first time; what it made is kept on disk for the next.

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
        backend: str = "inductor",
    ) -> None:
        super().__init__(network, device, bf16=bf16)
        _keep_kernels_on_disk()
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _LARGEST_SHAPES)
        self._replayed = device.type == "cuda" and backend == "inductor"
        options: dict[str, Any] | None = None
        if backend == "inductor":
            options = {"triton.cudagraphs": True} if self._replayed else {"freezing": True}
        build = partial(torch.compile, fullgraph=True, dynamic=False, backend=backend, options=options)
        self._encode_compiled: Callable[..., Memory] = build(self._network.encode_placed)
        self._remember_compiled: Callable[..., Reference] = build(self._network.remember)
        self._locate_compiled: Callable[..., Tensor] = build(_locate_with(self._network))
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

    def _run(self, verb: Callable[..., Outputs], inputs: tuple[Any, ...], filled: int) -> Outputs:
        """Run a verb on inputs whose batch is filled up, and cut its outputs to the batch again."""
        batch = len(_first_tensor(inputs))
        if self._replayed:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        outputs = verb(*_map(inputs, lambda part: _fill(part, filled)))
        if not self._replayed and filled == batch:
            return outputs
        # The next replay overwrites them; and what is kept of a few must not hold on to what filled them up.
        return _map(outputs, lambda part: part[:batch].clone())  # type: ignore[no-any-return]

    def _warm_up(self, ensemble: int) -> None:
        """Compile what tracking one target needs, by doing it."""
        size = self.crop_size
        boxes = np.array([[0.4, 0.4, 0.2, 0.2]], np.float32)
        for _ in range(_RUNS_TO_REPLAY if self._replayed else 1):
            memory = self.encode(np.zeros((1, size, size, 3), np.uint8), np.zeros((1, size, size), np.bool_))
            (reference,) = self.remember(memory, [0], boxes)
            self.locate(
                memory, [ReferenceSet(reference.long_term, [reference.short_term] * ensemble, [1] * ensemble)]
            )


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
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(caches / "aiatrack" / "inductor"))


def _next_power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _first_tensor(inputs: Any) -> Tensor:
    return inputs if isinstance(inputs, Tensor) else _first_tensor(inputs[0])


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
