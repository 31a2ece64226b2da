"""The smallest network that has every part: settings shared by tests."""

from aiatrack.config import Backbone, NetworkSettings

TINY_NETWORK = NetworkSettings(
    backbone=Backbone.EFFICIENTNET_LITE0,
    crop_size=64,
    channels=16,
    heads=2,
    encoder_layers=1,
    feed_forward_channels=32,
    inner_channels=8,
    corner_head_channels=16,
    iou_head_channels=16,
)
