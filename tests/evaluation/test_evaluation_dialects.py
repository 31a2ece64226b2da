"""Dialects of result files, written and read back."""

from pathlib import Path

import numpy as np
import pytest

from aiatrack.errors import DataError, OutputError, SettingsError
from aiatrack.evaluation.dialects import DIALECTS, import_results, select_dialect, write_results

BOXES = np.array([[0.0, 1.25, 10.5, 20.99999], [-3.7, 2, 10, 20]])


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("plain", "cat.txt", "0.0000,1.2500,10.5000,21.0000\n-3.7000,2.0000,10.0000,20.0000\n"),
        ("tab", "cat.txt", "0.0000\t1.2500\t10.5000\t21.0000\n-3.7000\t2.0000\t10.0000\t20.0000\n"),
        ("space", "cat.txt", "0.0000 1.2500 10.5000 21.0000\n-3.7000 2.0000 10.0000 20.0000\n"),
        ("one_based", "cat.txt", "1.0000,2.2500,10.5000,21.0000\n-2.7000,3.0000,10.0000,20.0000\n"),
        ("pytracking", "cat.txt", "0\t1\t10\t20\n-3\t2\t10\t20\n"),
        ("aiatrack", "own_cat.txt", "0,1,10,20\n-3,2,10,20\n"),
        ("got10k", "cat/cat_001.txt", "0.0000,1.2500,10.5000,21.0000\n-3.7000,2.0000,10.0000,20.0000\n"),
    ],
)
def test_each_dialect_writes_its_own_text(tmp_path: Path, name: str, file: str, text: str):
    assert write_results({"cat": BOXES}, tmp_path, DIALECTS[name], prefix="own_") == [tmp_path / file]
    assert (tmp_path / file).read_bytes() == text.encode()


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_what_was_written_is_read_back(tmp_path: Path, dialect):
    write_results({"cat": BOXES}, tmp_path, dialect, prefix="own_")
    back = import_results(tmp_path, {"cat": 2}, prefix="own_", first_pixel=dialect.first_pixel)["cat"]
    expected = np.trunc(BOXES) if dialect.decimals is None else BOXES.round(4)
    np.testing.assert_allclose(back, expected, atol=1e-9)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_large_numbers_are_read_back_as_they_were(tmp_path: Path, dialect):
    """Also those that no machine's integer holds."""
    large = np.array([[1e300, -1e300, 2.0**63, 2.0**64]])
    write_results({"cat": large}, tmp_path, dialect)
    back = import_results(tmp_path, {"cat": 1}, first_pixel=dialect.first_pixel)["cat"]
    np.testing.assert_array_equal(back, large)


def test_missing_files_and_unknown_dialects_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="holds no result of cat"):
        import_results(tmp_path, {"cat": 2})
    write_results({"cat": BOXES}, tmp_path, DIALECTS["plain"])
    with pytest.raises(DataError, match="too short: 3 rows were expected"):
        import_results(tmp_path, {"cat": 3})
    with pytest.raises(SettingsError, match="plain, tab"):
        select_dialect("matlab")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_results({"cat": BOXES}, tmp_path / "file", DIALECTS["plain"])
