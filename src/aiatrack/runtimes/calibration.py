"""Inputs of the graphs as they come in tracking, gathered by tracking."""

from collections.abc import Iterable, Mapping, Sequence

from aiatrack.config import ModelSettings
from aiatrack.crop import Image
from aiatrack.errors import SettingsError
from aiatrack.model import AiATrack
from aiatrack.runtimes.graph_network import Array, GraphNetwork
from aiatrack.runtimes.torch_graphs import network_graphs
from aiatrack.tracking import Tracker

Clip = tuple[Sequence[float], Iterable[Image]]
"""The target's box in the first frame, px, and the frames, RGB."""


def gather_samples(
    network: AiATrack, settings: ModelSettings, clips: Iterable[Clip], *, count: int, limit: int = 300
) -> dict[str, list[dict[str, Array]]]:
    """Track clips, each as far as it has a share in the samples, and keep what goes into each graph.

    Args:
        network: with its weights, on the CPU; taken over.
        settings: of network and tracking.
        clips: to track.
        count: how many clips there are.
        limit: samples of a graph at most; where a clip is short, later ones give more.

    Raises:
        SettingsError: no clip has a second frame.
    """
    samples: dict[str, list[dict[str, Array]]] = {}
    graphs = network_graphs(network)
    so_far = 0

    def keep(name: str, inputs: Mapping[str, Array]) -> None:
        kept = samples.setdefault(name, [])
        if len(kept) < so_far:
            kept.append({key: array.copy() for key, array in inputs.items()})

    graphs.observe = keep
    tracker = Tracker(GraphNetwork(graphs, settings.network), settings.tracking)
    for number, (box_xywh, frames) in enumerate(clips, start=1):
        so_far = limit * number // count
        for index, frame in enumerate(frames):
            if index:
                tracker.update(frame)
            else:
                tracker.start(frame, box_xywh)
            if len(samples.get("locate", ())) >= so_far:  # that of every frame
                break
    if "locate" not in samples:
        raise SettingsError("nothing to calibrate with: give films of two frames at least")
    return samples
