"""Cut a graph of OpenVINO in two, so that its parts can be computed in different precisions.

Legend: S crop side in px.
"""

from collections.abc import Iterator, Sequence

import openvino as ov

from aiatrack.config import NetworkSettings

_FINE_STRIDE = 4


def split_fine_layers(model: ov.Model, settings: NetworkSettings) -> tuple[ov.Model, ov.Model]:
    """Split `encode` where the layers of stride 4 end, after the last of the narrowest of them.

    There, layers are narrow and their errors reach everything: what rounding them to bf16 costs is told in
    docs/performance.md. What goes from one part to the other is copied, hence the narrowest. What depends on
    the padding alone, positions, is for the first part as well: their angles must not be rounded.

    Args:
        model: the graph, shapes static; with or without an input for the padding.
        settings: of the network.

    Returns:
        Both parts. The inputs of the second are the first outputs of the first, in order; what else the graph
        puts out without the crops, the first part does.
    """
    crops = model.input("crops").get_node()
    bottlenecks = list(_bottlenecks(model, crops, settings.crop_size // _FINE_STRIDE))
    boundary = min(reversed(bottlenecks), key=lambda op: op.get_output_shape(0)[1])
    from_crops = _reached(model, [crops])
    handed_over = [boundary.output(0), *_read_within(model, from_crops)]
    apart = [result for result in model.get_results() if result.get_friendly_name() not in from_crops]
    outputs = [*handed_over, *(result.input_value(0) for result in apart)]
    first = ov.Model(outputs, model.get_parameters()).clone()
    second = model.clone()
    ops = {op.get_friendly_name(): op for op in second.get_ops()}
    received = []
    for port in handed_over:
        parameter = ov.opset13.parameter(port.get_shape(), port.get_element_type())
        for reader in ops[port.get_node().get_friendly_name()].output(port.get_index()).get_target_inputs():
            reader.replace_source_output(parameter.output(0))
        received.append(parameter)
    results = [result for result in second.get_results() if result.get_friendly_name() in from_crops]
    return first, ov.Model(results, received)


def fine_convolutions(model: ov.Model, settings: NetworkSettings) -> list[str]:
    """Names of the convolutions of the first part of `split_fine_layers`, of a graph whose batch is free."""
    alone = model.clone()
    alone.reshape({port: ov.PartialShape([1, *list(port.partial_shape)[1:]]) for port in alone.inputs})
    first, _ = split_fine_layers(alone, settings)
    return [op.get_friendly_name() for op in first.get_ops() if "Convolution" in op.get_type_name()]


def _read_within(model: ov.Model, inside: set[str]) -> list[ov.Output]:
    """What nodes inside read of nodes outside that depend on some input, as constants do not."""
    variable = _reached(model, model.get_parameters()) - inside
    return [
        port
        for op in model.get_ordered_ops()
        if op.get_friendly_name() in variable
        for port in op.outputs()
        if any(reader.get_node().get_friendly_name() in inside for reader in port.get_target_inputs())
    ]


def _reached(model: ov.Model, sources: Sequence[ov.Node]) -> set[str]:
    """Names of all nodes that depend on some of the sources, which are among them."""
    reached = {source.get_friendly_name() for source in sources}
    for op in model.get_ordered_ops():
        if not reached.isdisjoint(_inputs(op)):
            reached.add(op.get_friendly_name())
    return reached


def _bottlenecks(model: ov.Model, source: ov.Node, side: int) -> Iterator[ov.Node]:
    """The nodes that all paths from the source pass through, whose output is a map of that side."""
    reached = {source.get_friendly_name()}
    unread = {source.get_friendly_name(): len(source.output(0).get_target_inputs())}
    for op in model.get_ordered_ops():
        inputs = _inputs(op)
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


def _inputs(op: ov.Node) -> list[str]:
    """Names of the nodes that it reads."""
    return [port.get_source_output().get_node().get_friendly_name() for port in op.inputs()]
