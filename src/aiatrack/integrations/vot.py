"""The tracker process of the VOT toolkit: speaks TraX with it over standard input and output.

What is measured, and how, is the toolkit's affair: https://www.votchallenge.net.
"""

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiatrack.errors import MissingExtraError, TrackingError
from aiatrack.evaluation.running import Located, SequenceTracker
from aiatrack.video.image_source import read_image


def serve_tracker(tracker: SequenceTracker, name: str = "aiatrack") -> None:
    """Answer the toolkit until it quits: boxes in, boxes out.

    Standard input and output belong to the protocol meanwhile; nothing else may be printed.

    Args:
        tracker: started anew whenever the toolkit says so.
        name: what to call it in the toolkit's logs.

    Raises:
        MissingExtraError: TraX is not installed.
        TrackingError: the conversation broke off, or the toolkit asks for something that a tracker of one box
            in colour images cannot do.
    """
    trax = _import_trax()
    try:
        with trax.Server(
            [trax.Region.RECTANGLE], [trax.Image.PATH], [trax.ImageChannel.COLOR], tracker_name=name
        ) as server:
            while _answer(trax, server, tracker):
                pass
    except trax.TraxException as error:
        raise TrackingError(
            f"the conversation with the VOT toolkit broke off ({error}): `aiatrack vot` is started by the "
            "toolkit, as trackers.ini says; write one with `aiatrack vot workspace`"
        ) from error


def _answer(trax: Any, server: Any, tracker: SequenceTracker) -> bool:
    """Take one request and reply; False once there is none."""
    request = server.wait()
    if request.type == trax.TraxStatus.QUIT:
        return False
    frame = read_image(Path(request.image[trax.ImageChannel.COLOR].path()))
    if request.type == trax.TraxStatus.FRAME:
        found = tracker.update(frame)
        region = trax.Rectangle.create(*found.box_xywh)
        server.status([(region, _properties(found))])
        return True
    if len(request.objects) != 1:
        raise TrackingError(
            f"one target at a time: the VOT toolkit gave {len(request.objects)} to begin with"
        )
    given = request.objects[0][0]
    tracker.start(frame, given.bounds())
    server.status([(given, {})])
    return True


def _properties(found: Located) -> Mapping[str, str]:
    """Confidence is what the toolkit sorts long-term results by."""
    known = found.score is not None and math.isfinite(found.score)
    return {"confidence": f"{found.score:.6f}"} if known else {}


def _import_trax() -> Any:
    try:
        return importlib.import_module("trax")
    except ImportError as error:
        raise MissingExtraError(
            "speaking with the VOT toolkit needs TraX: pip install 'aiatrack[vot]'"
        ) from error
