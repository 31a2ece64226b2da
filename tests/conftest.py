"""Options and fixtures shared by all tests."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from parity_recording import own_named_weights
from tiny_network import TINY_NETWORK

from aiatrack.config import ModelSettings, load_preset
from aiatrack.model import AiATrack, build_network, load_state, save_weights
from aiatrack.model.published import rename_published

REPOSITORY = Path(__file__).resolve().parents[1]
OWN_RECORDING = REPOSITORY / "tests" / "recordings" / "own"
"""Of this package, in the same layout; made by `parity_recording.py`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parity",
        type=Path,
        default=REPOSITORY.parent / "shared" / "parity",
        help="folder with a recording of the published implementation to compare with; where there is none, "
        "one of this package in tests/recordings stands in",
    )


def pytest_report_header(config: pytest.Config) -> str:
    folder = _parity_folder(config)
    if folder == OWN_RECORDING:
        return "parity: with an earlier recording of this package; none of the published implementation found"
    return f"parity: with the published implementation as recorded in {folder}"


def _parity_folder(config: pytest.Config) -> Path:
    folder: Path = config.getoption("--parity")
    return folder if (folder / "official_outputs.npz").is_file() else OWN_RECORDING


@dataclass(frozen=True)
class ParityRecording:
    """Inputs and outputs of the published implementation."""

    folder: Path

    @cached_property
    def outputs(self) -> dict[str, np.ndarray[Any, Any]]:
        with np.load(self.folder / "official_outputs.npz") as archive:
            return {name: archive[name] for name in archive.files}

    @property
    def token_step(self) -> int:
        """Token arrays keep every so many tokens of the 400; the published recording's README says 7."""
        return int(self.outputs.get("token_step", 7))

    @property
    def crop_step(self) -> int:
        """Crops keep every so many rows and columns of the 320."""
        return 320 // self.outputs["crop_images"].shape[1]

    @cached_property
    def published_state(self) -> dict[str, torch.Tensor]:
        rows = json.loads((self.folder / "state_dict.json").read_text())
        weights = self._fill_by_name(rows, int(self.outputs["salt"]))
        return {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}

    def _fill_by_name(self, rows: Any, salt: int) -> Any:
        """With the recording's own `named_weights.py`, where it brings one."""
        if not (self.folder / "named_weights.py").is_file():
            return own_named_weights(rows, salt)
        spec = importlib.util.spec_from_file_location("named_weights", self.folder / "named_weights.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.named_weights(rows, salt=salt)

    def network(self) -> AiATrack:
        """A fresh `base` network with the recording's weights, in evaluation mode."""
        network = build_network(load_preset("base").network)
        load_state(network, rename_published(self.published_state), origin=str(self.folder))
        return network.eval()

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """The online run's frames, RGB."""
        return [cv2.imread(str(path))[..., ::-1] for path in sorted((self.folder / "frames").glob("*.png"))]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted graphs go to a folder of this run, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIATRACK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def parity(request: pytest.FixtureRequest) -> ParityRecording:
    """The recording named by `--parity`, or the one in this repository."""
    return ParityRecording(_parity_folder(request.config))


@pytest.fixture(scope="session")
def parity_network(parity: ParityRecording) -> AiATrack:
    """Shared network with the recording's weights; tests must not change it."""
    return parity.network()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of a tiny network with random numbers: whole, quick, and of no use at tracking."""
    settings = TINY_NETWORK
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build_network(settings).state_dict()
    for name, tensor in state.items():
        # As initialised, so small a network answers almost the same whatever it sees.
        if tensor.ndim > 1 and not name.startswith("encoder"):
            tensor.mul_(3.0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, state, ModelSettings(name="tiny", network=settings))
    return path
