"""Small settings on which training takes milliseconds."""

from collections.abc import Callable
from typing import Any

import pytest
from training_samples import tiny_settings

from aiatrack.config.training import TrainingSettings


@pytest.fixture
def settings() -> TrainingSettings:
    """Six steps of a very small network."""
    return tiny_settings()


@pytest.fixture
def change() -> Callable[..., TrainingSettings]:
    """The same with changes."""

    def changed(**changes: Any) -> TrainingSettings:
        return tiny_settings(**changes)

    return changed
