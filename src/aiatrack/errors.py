"""The tree of everything that can go wrong and is not a bug of ours.

Every message says what was expected, what was got and what to do next. Anything that is raised and is not an
`AiATrackError` is a defect of this package.
"""

from typing import ClassVar


class AiATrackError(Exception):
    """Root of the tree. `exit_code` is what the command line returns for it."""

    exit_code: ClassVar[int] = 1


class SettingsError(AiATrackError, ValueError):
    """A setting, preset or option is unknown, out of range, or in conflict with another."""

    exit_code = 2


class BoxError(AiATrackError, ValueError):
    """A box is malformed: not four numbers, not finite, without area, or outside the frame."""

    exit_code = 3


class FrameError(AiATrackError, ValueError):
    """A frame has the wrong type, shape or size."""

    exit_code = 4


class VideoError(AiATrackError):
    """A video source cannot be opened or read."""

    exit_code = 5


class OutputError(AiATrackError):
    """A result cannot be written: no permission, no space, unknown format."""

    exit_code = 6


class WeightsError(AiATrackError):
    """A weights file is missing, damaged, unsafe, or does not fit the network."""

    exit_code = 7


class TrackingError(AiATrackError):
    """The tracker was called out of order, such as `update` before `start`."""

    exit_code = 8


class DataError(AiATrackError):
    """Training or test data on disk is missing, damaged or not annotated as its layout says."""

    exit_code = 9


class TrainingError(AiATrackError):
    """A training run cannot go on: the loss is not finite, or a checkpoint does not fit."""

    exit_code = 10


class MissingExtraError(AiATrackError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    exit_code = 11
