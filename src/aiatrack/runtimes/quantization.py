"""Post-training quantisation of OpenVINO's graphs to int8 (NNCF)."""

import logging
from collections.abc import Iterable, Mapping, Sequence

import nncf
import openvino as ov

from aiatrack.runtimes.graph_network import Array


def quantize_graph(
    model: ov.Model, samples: Iterable[Mapping[str, Array]], *, exact: Sequence[str] = ()
) -> ov.Model:
    """Quantise weights and activations, the latter's ranges from samples of the graph's inputs.

    Args:
        model: converted, float32.
        samples: inputs as they come in tracking.
        exact: names of operations that are left as they are.
    """
    gathered = list(samples)
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf.quantize(
        model,
        nncf.Dataset(gathered),
        subset_size=len(gathered),
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=nncf.IgnoredScope(names=list(exact)),
    )
