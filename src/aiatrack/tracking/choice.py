"""Which way of following the settings ask for."""

from aiatrack.config import TrackingSettings, load_calibration
from aiatrack.tracking.following import Following, JudgingFollowing, PaperFollowing
from aiatrack.tracking.presence import PresenceModel
from aiatrack.tracking.watchful import WatchfulFollowing


def build_following(settings: TrackingSettings, crop_size: int) -> Following:
    """The way that `settings.presence` chooses.

    Raises:
        SettingsError: the calibration is missing or cannot be used.
    """
    if settings.presence == "off":
        return PaperFollowing(settings, crop_size)
    chosen = WatchfulFollowing if settings.presence == "on" else JudgingFollowing
    return chosen(settings, crop_size, PresenceModel(load_calibration(settings.calibration)))
