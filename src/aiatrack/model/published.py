"""The authors' checkpoints, their parameters renamed to this package's."""

import re
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from aiatrack.errors import WeightsError
from aiatrack.model.inert_pickle import read_state_dict
from aiatrack.model.weights import without_shared_prefix
from aiatrack.paths import is_file, why_unreachable

_ENTRIES = ("net", "state_dict", "model")
"""Where a network lies in a checkpoint: the authors', Lightning's, and that of many others."""

_PARTS = (
    *("backbone", "bottleneck", "foreground_embed", "background_embed"),
    *("transformer", "box_head", "iou_head"),
)
"""Of the authors' network."""


def read_published_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the weights of an authors' checkpoint and rename them to ours.

    Args:
        path: of an `AIATRACK_ep0500.pth.tar` or alike: a pickled dict whose `net`, `state_dict` or `model` is
            the state dict, or the state dict alone; with or without a prefix that all its names share.

    Returns:
        The state dict of a `base` network.

    Raises:
        WeightsError: missing, damaged, hostile, or not such a checkpoint; nothing inside was executed.
    """
    if not is_file(path):
        raise WeightsError(f"there is no checkpoint {path}{why_unreachable(path)}")
    if _is_safetensors(path):
        raise WeightsError(
            f"{path} is a weights file already, not a checkpoint of torch.save: nothing to convert, give it "
            "to --model as it is"
        )
    return rename_published(without_shared_prefix(read_state_dict(path, *_ENTRIES), _PARTS))


def _is_safetensors(path: Path) -> bool:
    try:
        with safe_open(path, framework="np"):
            return True
    except (OSError, SafetensorError):
        return False


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
    """Rename the authors' parameters to ours; packed query-key-value projections are split.

    Raises:
        WeightsError: a packed projection cannot be split into three.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        ours = _rename(name)
        packed = re.fullmatch(r"(.*)\.in_proj_(weight|bias)", ours)
        if packed:
            if tensor.dim() == 0 or tensor.shape[0] % 3:
                raise WeightsError(
                    f"{name} packs queries, keys and values: expected rows in threes, got shape "
                    f"{list(tensor.shape)}"
                )
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
