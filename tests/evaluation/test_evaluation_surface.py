"""What the room shows, and what it must not bring along."""

import subprocess
import sys

import pytest

from aiatrack import evaluation


@pytest.mark.parametrize("name", evaluation.__all__)
def test_every_public_name_exists_and_is_explained(name):
    found = getattr(evaluation, name)
    assert found is not None
    if callable(found):
        assert found.__doc__


def test_scoring_brings_nothing_heavy():
    unwanted = {"torch", "aiatrack.training", "aiatrack.model", "ray", "matplotlib"}
    code = f"import sys, aiatrack.evaluation; print({unwanted} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
