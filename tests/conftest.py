"""Options and fixtures shared by all tests."""

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from aiatrack.config import load_preset
from aiatrack.model import AiATrack, build_network, load_state
from aiatrack.model.published import rename_published

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parity",
        type=Path,
        default=REPOSITORY.parent / "shared" / "parity",
        help="folder with a recording of the published implementation to compare with",
    )


def pytest_report_header(config: pytest.Config) -> str:
    folder = config.getoption("--parity")
    found = (folder / "official_outputs.npz").is_file()
    return f"parity: {'recording ' + str(folder) if found else 'no recording; parity tests are skipped'}"


@dataclass(frozen=True)
class ParityRecording:
    """Inputs and outputs of the published implementation."""

    folder: Path

    @cached_property
    def outputs(self) -> dict[str, np.ndarray[Any, Any]]:
        with np.load(self.folder / "official_outputs.npz") as archive:
            return {name: archive[name] for name in archive.files}

    @cached_property
    def published_state(self) -> dict[str, torch.Tensor]:
        import json

        spec = importlib.util.spec_from_file_location("named_weights", self.folder / "named_weights.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        rows = json.loads((self.folder / "state_dict.json").read_text())
        weights = module.named_weights(rows, salt=int(self.outputs["salt"]))
        return {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}

    def network(self) -> AiATrack:
        """A fresh `base` network with the recording's weights, in evaluation mode."""
        network = build_network(load_preset("base").network)
        load_state(network, rename_published(self.published_state), origin=str(self.folder))
        return network.eval()

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """The online run's frames, RGB."""
        return [cv2.imread(str(path))[..., ::-1] for path in sorted((self.folder / "frames").glob("*.png"))]


@pytest.fixture(scope="session")
def parity(request: pytest.FixtureRequest) -> ParityRecording:
    """The recording named by `--parity`; tests that need it are skipped where there is none."""
    folder: Path = request.config.getoption("--parity")
    if not (folder / "official_outputs.npz").is_file():
        pytest.skip(f"no recording of the published implementation in {folder}; see CONTRIBUTING.md")
    return ParityRecording(folder)


@pytest.fixture(scope="session")
def parity_network(parity: ParityRecording) -> AiATrack:
    """Shared network with the recording's weights; tests must not change it."""
    return parity.network()
