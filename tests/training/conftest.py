"""Small settings on which training takes milliseconds."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from training_samples import tiny_settings

from aiatrack.config.training import TrainingSettings


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums taken by two threads differ from those of one in the last bit; child processes use one as well."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
