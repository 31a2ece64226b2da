"""Formats that are one document: the journal beside it, and what becomes of both when a run ends badly."""

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest
from box_rows import CAR, DOCUMENTS, DOG, FILM, THIRD, fill, row, write

from aiatrack.errors import DataError, OutputError
from aiatrack.video import VideoWarning, check_box_output, finish_box_document, open_box_writer

HEAD = '{"kind": "cvat", "ids": [], "film": {"name": "a", "width": 9, "height": 9}}\n'
BOXES = '{"frame": 0, "time": 0, "boxes": [{"box": %s, "score": 1, "id": 1, "presence": 1, "state": ""}]}\n'


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_lost_when_a_document_is_never_finished(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path / name).read_text()
    (tmp_path / name).write_text("precious")
    fill(open_box_writer(tmp_path / name, film=FILM, ids=[CAR, DOG, THIRD]))
    # Killed here, in the middle of a line.
    journal = tmp_path / f"{name}.journal"
    with journal.open("a") as file:
        file.write('{"frame": 10, "time"')
    assert (tmp_path / name).read_text() == "precious"
    assert finish_box_document(journal) == tmp_path / name
    assert (tmp_path / name).read_text() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_tracks_of_a_killed_run_end_with_it(tmp_path: Path) -> None:
    path = tmp_path / "boxes.cvat.xml"
    writer = open_box_writer(path, film=FILM)
    writer.write_frame(4, 0.16, [row(4, CAR, 1)])
    del writer  # killed
    finish_box_document(tmp_path / "boxes.cvat.xml.journal")
    boxes = ElementTree.parse(path).getroot().findall("track/box")
    assert [(box.get("frame"), box.get("outside")) for box in boxes] == [("4", "0"), ("5", "1")]


def test_a_journal_that_was_left_is_kept_by_the_next_run(tmp_path: Path) -> None:
    whole = write(tmp_path / "boxes.cvat.xml").read_text()
    fill(open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM, ids=[CAR, DOG, THIRD]))  # killed
    (tmp_path / "boxes.1.cvat.xml").write_text("precious")
    with (
        pytest.warns(VideoWarning, match=r"boxes\.cvat\.xml\.journal holds .*boxes\.2\.cvat\.xml\.journal"),
        open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM) as writer,
    ):
        writer.write_frame(0, 0.0, [])
    assert finish_box_document(tmp_path / "boxes.2.cvat.xml.journal") == tmp_path / "boxes.2.cvat.xml"
    assert (tmp_path / "boxes.2.cvat.xml").read_text() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "boxes.1.cvat.xml",
        "boxes.2.cvat.xml",
        "boxes.cvat.xml",
    ]
    assert (tmp_path / "boxes.1.cvat.xml").read_text() == "precious"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_finished_by_an_error(tmp_path: Path, name: str) -> None:
    whole = write(tmp_path / f"whole.{name.partition('.')[2]}").read_text()
    with (
        pytest.raises(KeyboardInterrupt),
        open_box_writer(tmp_path / name, film=FILM, ids=[CAR, DOG, THIRD]) as writer,
    ):
        fill(writer)
        raise KeyboardInterrupt
    assert (tmp_path / name).read_text() == whole


def test_the_input_is_not_the_journal_nor_a_file_of_many(tmp_path: Path) -> None:
    journal = tmp_path / "a.cvat.xml.journal"
    journal.write_text("precious")
    with pytest.raises(OutputError, match="is the input itself"):
        check_box_output(tmp_path / "a.cvat.xml", inputs=[journal])
    (tmp_path / "a_2.txt").write_text("precious")
    with pytest.raises(OutputError, match="is the input itself"):
        check_box_output(tmp_path / "a_{id}.txt", ids=[1, 2], inputs=[tmp_path / "a_2.txt"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.cvat.xml", "", "is no journal"),
        ("a.cvat.xml.journal", "", "is no journal"),
        ("a.cvat.xml.journal", "[1, 2]\n", "is no journal"),
        ("a.cvat.xml.journal", '{"kind": "cvat"}\n', "is no journal"),
        ("a.cvat.xml.journal", HEAD.replace("cvat", "csv"), "journal for 'csv'"),
        ("a.cvat.xml.journal", HEAD + "{}\n", "or damaged: KeyError"),
        ("a.cvat.xml.journal", HEAD + BOXES % "[1, 2, 3]", "or damaged: ValueError"),
        ("a.cvat.xml.journal", HEAD + BOXES % '["x", 2, 3, 4]', "or damaged: ValueError"),
        ("gone.journal", None, "No such file"),
    ],
)
def test_what_is_no_journal(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        finish_box_document(tmp_path / name)


def test_a_document_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "boxes.cvat.xml").symlink_to(tmp_path / "store" / "boxes.xml")
    write(tmp_path / "boxes.cvat.xml")
    assert (tmp_path / "boxes.cvat.xml").is_symlink()
    assert ElementTree.parse(tmp_path / "store" / "boxes.xml").getroot().tag == "annotations"
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["boxes.xml"]
    with pytest.raises(OutputError, match="no ordinary file"):
        check_box_output("/dev/null", format="coco")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_leaves_the_older_document(tmp_path: Path) -> None:
    (tmp_path / "boxes.cvat.xml").write_text("precious")
    (tmp_path / "boxes.cvat.xml.journal").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="no space left"):
        open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM)
    assert (tmp_path / "boxes.cvat.xml").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_two_runs_cannot_write_one_document(tmp_path: Path) -> None:
    with open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM, ids=[CAR, DOG, THIRD]) as first:
        with pytest.raises(OutputError, match="another run is writing"):
            open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM)
        fill(first)
    whole = write(tmp_path / "whole.cvat.xml").read_text()
    assert (tmp_path / "boxes.cvat.xml").read_text() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boxes.cvat.xml", "whole.cvat.xml"]


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_the_journal_of_a_run_that_is_alive_stays_its_own(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.cvat.xml").read_text()
    journal = tmp_path / "boxes.cvat.xml.journal"
    with open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM, ids=[CAR, DOG, THIRD]) as writer:
        with pytest.raises(OutputError, match="a run is still writing "):
            finish_box_document(journal)
        assert journal.exists()
        fill(writer)
    assert (tmp_path / "boxes.cvat.xml").read_text() == whole


def test_a_journal_that_is_gone_at_the_end(tmp_path: Path) -> None:
    writer = open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM, ids=[CAR, DOG, THIRD])
    fill(writer)
    (tmp_path / "boxes.cvat.xml.journal").unlink()
    with pytest.raises(OutputError, match=r"No such file.*boxes\.cvat\.xml is not made"):
        writer.close()


def test_the_way_to_rescue_a_journal_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s "$HOME" `x`'
    folder.mkdir()
    whole = write(folder / "boxes.cvat.xml").read_text()
    fill(open_box_writer(folder / "boxes.cvat.xml", film=FILM, ids=[CAR, DOG, THIRD]))  # killed
    with pytest.warns(VideoWarning, match="make the document with") as told:
        open_box_writer(folder / "boxes.cvat.xml", film=FILM).close()
    command = str(told[0].message).partition("make the document with ")[2].rpartition(", or remove it")[0]
    subprocess.run(command.replace("python", shlex.quote(sys.executable), 1), shell=True, check=True)
    assert (folder / "boxes.1.cvat.xml").read_text() == whole


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_is_not_opened_to_try_it(tmp_path: Path) -> None:
    pipe = tmp_path / "boxes.csv"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as reader:
        text = reader.submit(pipe.read_text)
        with open_box_writer(pipe) as writer:
            fill(writer)
        assert text.result(timeout=20) == write(tmp_path / "plain.csv").read_text()
