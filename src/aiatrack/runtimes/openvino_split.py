"""Cut a graph of OpenVINO in two, so that its parts can be computed in different precisions.

Legend: S crop side in px.
"""

from collections.abc import Iterator

import openvino as ov

from aiatrack.config import NetworkSettings

_FINE_STRIDE = 4
BOUNDARY = "fine_features"
"""Name of what goes from the first part to the second."""


def split_fine_layers(model: ov.Model, settings: NetworkSettings) -> tuple[ov.Model, ov.Model]:
    """Split `encode` where the layers of stride 4 end, after the last of the narrowest of them.

    There, layers are narrow and their errors reach everything: what rounding them to bf16 costs is told in
    docs/performance.md. What goes from one part to the other is copied, hence the narrowest.

    Args:
        model: the graph, shapes static.
        settings: of the network.
    """
    crops = _parameter(model, "crops")
    bottlenecks = list(_bottlenecks(model, crops, settings.crop_size // _FINE_STRIDE))
    boundary = min(reversed(bottlenecks), key=lambda op: op.get_output_shape(0)[1])
    first = ov.Model([boundary.output(0)], [crops]).clone()
    first.outputs[0].get_tensor().set_names({BOUNDARY})
    second = model.clone()
    cut = next(op for op in second.get_ops() if op.get_friendly_name() == boundary.get_friendly_name())
    features = ov.opset13.parameter(boundary.get_output_shape(0), boundary.get_output_element_type(0))
    features.output(0).get_tensor().set_names({BOUNDARY})
    for reader in cut.output(0).get_target_inputs():
        reader.replace_source_output(features.output(0))
    others = [_parameter(second, name) for port in model.inputs for name in port.names if name != "crops"]
    return first, ov.Model(second.get_results(), [features, *others])


def _bottlenecks(model: ov.Model, source: ov.Node, side: int) -> Iterator[ov.Node]:
    """The nodes that all paths from the source pass through, whose output is a map of that side."""
    reached = {source.get_friendly_name()}
    unread = {source.get_friendly_name(): len(source.output(0).get_target_inputs())}
    for op in model.get_ordered_ops():
        inputs = [port.get_source_output().get_node().get_friendly_name() for port in op.inputs()]
        if reached.isdisjoint(inputs):
            continue
        name = op.get_friendly_name()
        reached.add(name)
        for read in reached.intersection(inputs):
            unread[read] -= inputs.count(read)
        unread = {node: readers for node, readers in unread.items() if readers > 0}
        unread[name] = sum(len(port.get_target_inputs()) for port in op.outputs())
        if (
            len(unread) == 1
            and op.get_output_size() == 1
            and tuple(op.get_output_shape(0))[2:] == (side, side)
        ):
            yield op


def _parameter(model: ov.Model, name: str) -> ov.Node:
    return model.input(name).get_node()
