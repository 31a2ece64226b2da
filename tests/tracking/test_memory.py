"""Reference memory apart from tracking: what a copy shares, and how much is drawn."""

import pytest
from numbered_handle import Handle

from aiatrack.config import TrackingSettings
from aiatrack.errors import SettingsError
from aiatrack.tracking import ReferenceMemory


def test_a_copy_has_the_same_draw_and_changes_on_its_own(monkeypatch):
    memory = ReferenceMemory.begin(Handle(0), capacity=3, ensemble_size=4)
    for number in (1, 2):
        memory.add(Handle(number))
    before = memory.entries, memory.references
    with monkeypatch.context() as patch:
        patch.setattr(ReferenceMemory, "_draw", lambda self: pytest.fail("drawn once for every frame"))
        copied = memory.copy()
    assert (copied.entries, copied.references) == before
    copied.add(Handle(3))
    copied.forget_latest(1)
    assert (memory.entries, memory.references) == before
    assert copied.entries == (("short", 0), ("short", 2)) and copied.multiplicity == [3, 1]


def test_draws_are_bounded():
    assert TrackingSettings(ensemble_size=1000).ensemble_size == 1000
    with pytest.raises(SettingsError, match="ensemble_size"):
        TrackingSettings(ensemble_size=1001)
