"""The authors' checkpoints: read without running anything in them, renamed to this package's names.

A checkpoint is a pickle, and unpickling runs what the file says. Here a global that is not on a short list never
becomes the real thing: it becomes an inert placeholder class, so the authors' own training classes load as empty
shells. A file that wants to *call* something unknown is refused.
"""

import pickle
import re
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aiatrack.errors import WeightsError

_STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")

_TRUSTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,  # type: ignore[attr-defined]
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,  # type: ignore[attr-defined]
    ("torch", "Size"): torch.Size,
    **{("torch", f"{kind}Storage"): getattr(torch, f"{kind}Storage") for kind in _STORAGES},
}

_HARMLESS_DATA = {
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "complex"),
    ("builtins", "slice"),
    ("builtins", "range"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib", "PurePosixPath"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("collections", "defaultdict"),
    ("argparse", "Namespace"),
    ("_codecs", "encode"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("torch", "device"),
    ("torch", "dtype"),
    ("easydict", "EasyDict"),
}
"""Constructors of plain data that training settings and statistics are made of: callable, and still inert."""


class _InertType(type):
    """Metaclass of placeholders: an instance can be unpickled, a call is refused unless it only builds data."""

    callable_as_data: bool

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not cls.callable_as_data:
            raise WeightsError(
                f"refused: this checkpoint wants to call {cls.__module__}.{cls.__name__}, which is not part of "
                "any published checkpoint; nothing was executed"
            )
        return cls.__new__(cls)


class _Inert(metaclass=_InertType):
    """Stands in for an object of an unknown class; accepts everything, does nothing."""

    callable_as_data = False

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Inert":  # noqa: ARG004 - takes what the pickle gives
        return object.__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore an item of a dict-like class."""

    def append(self, item: Any) -> None:
        """Ignore an item of a list-like class."""

    def extend(self, items: Any) -> None:
        """Ignore items of a list-like class."""

    def __hash__(self) -> int:
        return id(self)


class _InertUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Resolve the trusted names; everything else becomes a placeholder, and nothing is imported."""
        if (module, name) in _TRUSTED:
            return _TRUSTED[module, name]
        harmless = (module, name) in _HARMLESS_DATA
        if not harmless and module.partition(".")[0] in sys.stdlib_module_names:
            raise WeightsError(
                f"refused: this checkpoint refers to {module}.{name}, which is not part of any published "
                "checkpoint; nothing was executed"
            )
        return _InertType(name, (_Inert,), {"callable_as_data": harmless, "__module__": module})


def _inert_pickle_module() -> types.ModuleType:
    """What `torch.load` asks of a pickle module, with `_InertUnpickler` inside."""
    module = types.ModuleType("inert_pickle")
    module.Unpickler = _InertUnpickler  # type: ignore[attr-defined]
    module.load = lambda file, **options: _InertUnpickler(file, **options).load()  # type: ignore[attr-defined]
    return module


def read_published_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the weights of an authors' checkpoint and rename them to ours.

    Args:
        path: of an `AIATRACK_ep0500.pth.tar` or alike: a pickled dict whose `net` is the state dict.

    Returns:
        The state dict of a `base` network.

    Raises:
        WeightsError: missing, damaged, hostile, or not such a checkpoint; nothing inside was executed.
    """
    if not path.is_file():
        raise WeightsError(f"there is no checkpoint {path}")
    try:
        checkpoint = torch.load(path, "cpu", _inert_pickle_module(), weights_only=False)
    except WeightsError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle can raise anything at all
        raise WeightsError(
            f"{path} is not a readable PyTorch checkpoint: {type(error).__name__}: {error}"
        ) from error
    state = checkpoint.get("net") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not state:
        raise WeightsError(f"{path} holds no network: expected a dict with the state dict under 'net'")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()):
        raise WeightsError(f"the network in {path} is not a state dict of tensors")
    return rename_published(state)


_RENAMES = [
    (r"^backbone\.0\.body\.", "backbone."),
    (r"^foreground_embed\.weight$", "target_embedding"),
    (r"^background_embed\.weight$", "background_embedding"),
    (r"^transformer\.encoder\.layers\.(\d+)\.self_attn\.", r"encoder.\1.attention."),
    (r"^transformer\.decoder\.layers\.0\.(long|short)_term_attn\.", r"decoder.\1_term_attention."),
    (r"^transformer\.decoder\.norm\.", "decoder.output_norm."),
    (r"^transformer\.encoder\.layers\.(\d+)\.", r"encoder.\1."),
    (r"^transformer\.decoder\.layers\.0\.", "decoder."),
    (r"\.inner_attn\.corr_proj\.", ".refinement.projection."),
    (r"\.inner_attn\.corr_attn\.q_proj_", ".refinement.query."),
    (r"\.inner_attn\.corr_attn\.k_proj_", ".refinement.key."),
    (r"\.inner_attn\.corr_attn\.out_proj\.", ".refinement.output."),
    (r"\.inner_attn\.feat_norm1\.", ".refinement.projection_norm."),
    (r"\.inner_attn\.feat_norm2\.", ".refinement.value_norm."),
    (r"\.out_proj\.", ".output."),
    (r"\.linear1\.", ".feed_forward.0."),
    (r"\.linear2\.", ".feed_forward.3."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".feed_forward_norm."),
    (r"^box_head\.conv5_tl\.", "corner_head.top_left.4."),
    (r"^box_head\.conv5_br\.", "corner_head.bottom_right.4."),
    (r"^iou_head\.fc\.linear\.", "iou_head.hidden."),
    (r"^iou_head\.fc\.bn\.", "iou_head.hidden_norm."),
    (r"^iou_head\.iou_predictor\.", "iou_head.output."),
]


def rename_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the authors' parameters to ours; packed query-key-value projections are split."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        ours = _rename(name)
        packed = re.fullmatch(r"(.*)\.in_proj_(weight|bias)", ours)
        if packed:
            for part, rows in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                renamed[f"{packed[1]}.{part}.{packed[2]}"] = rows
        else:
            renamed[ours] = tensor.flatten() if ours.endswith("_embedding") else tensor
    return renamed


def _rename(name: str) -> str:
    # The numbered stacks count from 1 there, from 0 here.
    corner = re.match(r"^box_head\.conv([1-4])_(tl|br)\.", name)
    if corner:
        stack = {"tl": "top_left", "br": "bottom_right"}[corner[2]]
        return f"corner_head.{stack}.{int(corner[1]) - 1}.{name[corner.end() :]}"
    iou = re.match(r"^iou_head\.conv([1-3])\.", name)
    if iou:
        return f"iou_head.convolutions.{int(iou[1]) - 1}.{name[iou.end() :]}"
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name
