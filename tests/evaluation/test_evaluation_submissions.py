"""Archives for the servers: their files, their refusal of what a server would refuse."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from aiatrack.errors import DataError, OutputError, SettingsError
from aiatrack.evaluation.benchmark import Benchmark, open_benchmark
from aiatrack.evaluation.submissions import collect_got10k, collect_trackingnet, write_submission

FRAMES = 3


def write_rows(path: Path, rows: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, delimiter=",", fmt="%.6f")


@pytest.fixture
def got10k(tmp_path: Path) -> tuple[Benchmark, Path]:
    for number in range(1, 181):
        name = f"GOT-10k_Test_{number:06d}"
        folder = tmp_path / "root" / "test" / name
        write_rows(folder / "groundtruth.txt", np.array([[1.0, 2.0, 30.0, 40.0]]))
        for frame in range(1, FRAMES + 1):
            (folder / f"{frame:08d}.jpg").touch()
        write_rows(
            tmp_path / "results" / f"{name}.txt",
            np.array([[0, 0, 9, 9], [2, 3, 30, 40], [3, 4.00005, 30, 40]]),
        )
        write_rows(tmp_path / "results" / f"{name}_time.txt", np.array([[0.0], [0.02], [0.03]]))
    return open_benchmark("got10k_test", tmp_path / "root"), tmp_path / "results"


@pytest.fixture
def trackingnet(tmp_path: Path) -> tuple[Benchmark, Path]:
    for number in range(511):
        name = f"video{number}_0"
        write_rows(tmp_path / "root" / "TEST" / "anno" / f"{name}.txt", np.array([[1.0, 2.0, 30.0, 40.0]]))
        folder = tmp_path / "root" / "TEST" / "frames" / name
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            (folder / f"{frame}.jpg").touch()
        write_rows(tmp_path / "results" / f"{name}.txt", np.array([[1, 2, 30, 40]] * FRAMES))
    return open_benchmark("trackingnet", tmp_path / "root"), tmp_path / "results"


def test_got10k_archive_holds_boxes_and_times_of_all_sequences(got10k, tmp_path: Path):
    benchmark, results = got10k
    write_submission(collect_got10k(results, benchmark), tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 360
        assert not any(name.startswith("/") or name.count("/") != 1 for name in archive.namelist())
        boxes = archive.read("GOT-10k_Test_000007/GOT-10k_Test_000007_001.txt").decode()
        times = archive.read("GOT-10k_Test_000007/GOT-10k_Test_000007_time.txt").decode()
    # Frame 0 is the given box, whatever the result file says.
    assert boxes.splitlines()[0] == "1.0000,2.0000,30.0000,40.0000"
    assert boxes.splitlines()[1] == "2.0000,3.0000,30.0000,40.0000"
    assert times == "0.00000000\n0.02000000\n0.03000000\n"


def test_got10k_wants_three_runs_of_a_tracker_with_chance(got10k):
    benchmark, results = got10k
    with pytest.raises(DataError, match="180 problems"):
        collect_got10k(results, benchmark, deterministic=False)
    for sequence in benchmark.sequences:
        for run in (1, 2, 3):
            write_rows(
                results / sequence.name / f"{sequence.name}_{run:03d}.txt", np.full((FRAMES, 4), 5.0 + run)
            )
        (results / f"{sequence.name}.txt").unlink()
        write_rows(results / sequence.name / f"{sequence.name}_time.txt", np.full((FRAMES, 3), 0.01))
    files = collect_got10k(results, benchmark, deterministic=False)
    assert len(files) == 720
    name = benchmark.sequences[4].name
    assert files[f"{name}/{name}_003.txt"].splitlines()[1] == "8.0000,8.0000,8.0000,8.0000"
    assert files[f"{name}/{name}_time.txt"].splitlines()[0] == "0.01000000,0.01000000,0.01000000"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder, name: (folder / f"{name}.txt").unlink(), "no result file"),
        (lambda folder, name: write_rows(folder / f"{name}.txt", np.ones((2, 4))), "too short: 3 rows"),
        (
            lambda folder, name: write_rows(folder / f"{name}.txt", np.full((3, 4), np.nan)),
            "3 rows are not finite",
        ),
        (lambda folder, name: (folder / f"{name}_time.txt").unlink(), "no times"),
        (lambda folder, name: write_rows(folder / f"{name}_time.txt", np.ones((4, 1))), "3 rows of 1 times"),
        (lambda folder, name: write_rows(folder / f"{name}_time.txt", -np.ones((3, 1))), "not negative"),
    ],
)
def test_got10k_refuses_what_the_server_would(got10k, damage, message):
    benchmark, results = got10k
    damage(results, "GOT-10k_Test_000011")
    with pytest.raises(DataError, match=rf"1 problems \(GOT-10k_Test_000011: .*{message}"):
        collect_got10k(results, benchmark)


def test_trackingnet_archive_is_flat(trackingnet, tmp_path: Path):
    benchmark, results = trackingnet
    write_submission(collect_trackingnet(results, benchmark), tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        names = archive.namelist()
        assert len(names) == 511
        assert all("/" not in name and name.endswith(".txt") for name in names)
        assert archive.read("video3_0.txt").decode() == "1.0000,2.0000,30.0000,40.0000\n" * FRAMES
    (tmp_path / "root" / "TEST" / "anno" / "video9_0.txt").unlink()
    with pytest.raises(DataError, match="510 sequences on disk, 511 in the benchmark"):
        collect_trackingnet(results, open_benchmark("trackingnet", tmp_path / "root"))


def test_a_copy_that_lacks_a_frame_is_refused(got10k):
    benchmark, results = got10k
    name = "GOT-10k_Test_000003"
    (benchmark.root / "test" / name / "00000002.jpg").unlink()
    for rows in (2, 3):
        write_rows(results / f"{name}.txt", np.ones((rows, 4)))
        with pytest.raises(DataError, match=rf"1 problems .{name}: 1 of 3 frames missing, .*00000002.jpg"):
            collect_got10k(results, benchmark)


def test_an_unknown_number_of_frames_is_refused(trackingnet, tmp_path: Path):
    benchmark, results = trackingnet
    for frame in (tmp_path / "root" / "TEST" / "frames" / "video0_0").iterdir():
        frame.unlink()
    with pytest.raises(DataError, match="number of frames is not known"):
        collect_trackingnet(results, benchmark)


def test_equal_files_give_equal_archives(tmp_path: Path):
    files = {"b.txt": "1\n", "a.txt": "2\n"}
    write_submission(files, tmp_path / "one.zip")
    write_submission(dict(reversed(files.items())), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_only_zip_archives_in_writable_places(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"\.zip"):
        write_submission({}, tmp_path / "out.tar")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        write_submission({}, tmp_path / "file" / "out.zip")
