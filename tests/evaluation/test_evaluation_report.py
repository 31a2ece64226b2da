"""Reports: the numbers in all four formats, a page that needs nothing else."""

import csv
import io
import re
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.errors import DataError, OutputError
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.entry import Entry, open_entry
from aiatrack.evaluation.report import REPORT_FORMATS, Report, build_report, write_report
from aiatrack.evaluation.report.charts import COLOURS, Line, draw_bars, draw_curves, number_trackers
from aiatrack.evaluation.report.comparison import UNLIKE_SEQUENCES
from aiatrack.evaluation.report.film_strips import build_film_strip
from aiatrack.evaluation.report.page import to_html
from aiatrack.evaluation.report.tables import tabulate_attributes, to_csv, to_latex, to_markdown
from aiatrack.evaluation.results import read_annotations
from aiatrack.evaluation.scoring import METRICS
from aiatrack.number_files import read_number_rows

TRACKERS = ("ours & <theirs>", "shifted_50%")


@pytest.fixture
def entries(otb_like, tmp_path: Path) -> list[Entry]:
    names = tuple(f"seq{index}" for index in range(12))
    root, perfect = otb_like(names)
    worse = tmp_path / "worse"
    worse.mkdir()
    for index, name in enumerate(names):
        boxes = read_number_rows(perfect / f"{name}.txt")
        boxes[1:, 0] += index
        np.savetxt(worse / f"{name}.txt", boxes, delimiter=",")
        (root / name / "meta.json").write_text('{"attributes": ["blur"]}')
        for frame in range(12):
            image = np.full((90, 120, 3), 20 * frame, np.uint8)
            cv2.imwrite(str(root / name / "img" / f"{frame:04d}.jpg"), image)
    benchmark = open_benchmark("folders", root)
    annotations = read_annotations(benchmark)
    return [
        open_entry(folder, benchmark, annotations, tracker=tracker)
        for folder, tracker in zip((worse, perfect), TRACKERS, strict=True)
    ]


class TagCounter(HTMLParser):
    """Counts tags and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_well_formed_and_self_contained(entries):
    page = to_html(build_report(entries))
    parser = TagCounter()
    parser.feed(page)
    assert parser.open == []
    assert parser.seen["svg"] == 4
    assert parser.seen["polyline"] == 3 * 2
    assert parser.seen["img"] == 10
    assert "script" not in parser.seen
    assert "link" not in parser.seen
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "ours &amp; &lt;theirs&gt;" in page
    assert "<theirs>" not in page


def test_page_states_rules_and_lists_the_worst_sequences_first(entries):
    page = to_html(build_report(entries, rules="lasot"))
    assert "the LaSOT toolkit" in page
    assert "denominator: all frames" in page
    worst = re.findall(r'class="strip"><b>(\w+)</b>', page)
    assert worst == [f"seq{index}" for index in range(11, 1, -1)]


def test_csv_holds_every_number_in_full(entries):
    report = build_report(entries)
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert len(rows) == 2 * len(METRICS) * (1 + 12)
    score = report.comparisons[0].scores[0]
    row = next(
        r for r in rows if (r["tracker"], r["sequence"], r["metric"]) == (TRACKERS[0], "seq5", "precision")
    )
    assert float(row["value"]) == score.values["precision"][score.sequence_names.index("seq5")]
    whole = next(
        r for r in rows if (r["tracker"], r["sequence"], r["metric"]) == (TRACKERS[0], "all", "success_auc")
    )
    assert float(whole["value"]) == score.overall()
    assert float(whole["low"]) < score.overall() < float(whole["high"])


def test_markdown_sets_off_the_best_and_keeps_its_columns(entries):
    text = to_markdown(build_report(entries))
    assert f"| **{TRACKERS[1]}** | **95.24** |" in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "| yes |" in text


def test_the_best_of_each_metric_is_bold_and_so_are_ties(entries):
    """The first is ahead but in precision; the third ties with it in the digits shown, all in SR 0.5."""
    report = build_report([entries[1], entries[0], replace(entries[1], tracker="third")])
    comparison = report.comparisons[0]
    first, second, third = comparison.scores
    ahead = {**second.values, "precision": np.full(12, 1.5)}
    close = {**third.values, "success_auc": third.values["success_auc"] - 1e-7}
    scores = (first, replace(second, values=ahead), replace(third, values=close))
    report = Report((replace(comparison, scores=scores),))
    rows = [line for line in to_markdown(report).splitlines() if "95.24" in line or "150.00" in line][:3]
    bold = [[cell.startswith("**") for cell in row.split(" | ")[1:7]] for row in rows]
    assert bold == [
        [True, False] + [True] * 4,
        [False, True, False, False, True, False],
        [True, False] + [True] * 4,
    ]
    latex = to_latex(report)
    assert r"\textbf{95.24} & 100.00 & \textbf{100.00}" in latex
    assert r" & \textbf{150.00} & " in latex
    page = to_html(report)
    assert '<td class="best">95.24</td><td>100.00</td><td class="best">100.00</td>' in page
    assert page.count('<td class="best">150.00</td>') == 1


def test_latex_escapes_what_latex_would_read(entries):
    text = to_latex(build_report(entries))
    assert r"ours \& \textless{}theirs\textgreater{}" in text
    assert r"\textbf{shifted\_50\%}" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3


def test_differences_are_paired_and_signed(entries):
    comparison = build_report(entries).comparisons[0]
    assert comparison.best() == {1}
    found = comparison.differences[0, 1]
    assert found.significant
    assert found.difference == pytest.approx(comparison.scores[0].overall() - comparison.scores[1].overall())
    assert found.interval.high < 0


def test_film_strips_show_annotation_and_trackers(entries, tmp_path: Path):
    uri = build_film_strip(entries, "seq3", frames=3)
    assert uri is not None
    assert uri.startswith("data:image/jpeg;base64,")
    first = entries[0].benchmark.sequences[0].frame_paths[0]
    first.write_bytes(b"no picture")
    assert build_film_strip(entries, entries[0].benchmark.sequences[0].name) is None


def test_film_strips_take_paths_of_any_letters(entries, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cv2, "imread", lambda *_: None)  # as on Windows where letters are foreign to it
    assert build_film_strip(entries, "seq3", frames=3) is not None


def test_a_report_without_frames_still_stands(entries):
    for sequence in entries[0].benchmark.sequences:
        for path in sequence.layout.frame_paths(sequence.root, sequence.description):
            path.unlink()
    page = to_html(build_report(entries))
    assert "<img" not in page
    assert "Worst 10 sequences" in page


@pytest.fixture
def holey(entries) -> Report:
    """The second tracker beside one that lacks a sequence."""
    benchmark, folder = entries[0].benchmark, entries[0].benchmark.root.parent / "worse"
    (folder / "seq4.txt").unlink()
    entry = open_entry(folder, benchmark, entries[0].annotations, tracker="holey", partial=True)
    return build_report([entry, entries[1]])


def test_left_out_sequences_are_noted(holey):
    assert holey.notes == [
        "holey on folders: 1 sequence left out: seq4",
        f"folders: {UNLIKE_SEQUENCES}",
    ]
    assert "1 sequence left out: seq4" in to_html(holey)
    assert "1 sequence left out: seq4" in to_markdown(holey)
    latex = to_latex(holey)
    assert "\n% Note: holey on folders: 1 sequence left out: seq4\n" in latex
    assert "{\\footnotesize holey on folders: 1 sequence left out: seq4;" in latex


def test_csv_notes_stand_on_the_rows_of_their_tracker(holey, entries):
    rows = list(csv.DictReader(io.StringIO(to_csv(holey))))
    assert all(None not in row for row in rows)
    notes = {(row["tracker"], row["sequence"] == "all"): row["notes"] for row in rows}
    assert notes["holey", True] == f"1 sequence left out: seq4; {UNLIKE_SEQUENCES}"
    assert notes[TRACKERS[1], True] == UNLIKE_SEQUENCES
    assert notes["holey", False] == notes[TRACKERS[1], False] == ""
    assert {row["notes"] for row in csv.DictReader(io.StringIO(to_csv(build_report(entries[1:]))))} == {""}


def test_trackers_over_different_sequences_are_not_ranked(holey):
    comparison = holey.comparisons[0]
    assert comparison.best() == frozenset()
    assert "**" not in to_markdown(holey)
    assert "\\textbf" not in to_latex(holey)
    page = to_html(holey)
    assert 'class="best"' not in page
    assert page.index("  holey</text>") < page.index("  shifted_50%</text>")
    assert tabulate_attributes(comparison).rows[0][:2] == ("blur", "11 / 12")


def test_a_lone_tracker_is_not_set_off(entries):
    report = build_report(entries[1:])
    assert "**" not in to_markdown(report)
    assert "\\textbf" not in to_latex(report)
    assert 'class="best"' not in to_html(report)
    assert 'class="best"' in to_html(build_report(entries))


@pytest.mark.parametrize("suffix", REPORT_FORMATS)
def test_every_format_is_written_whole(entries, tmp_path: Path, suffix: str):
    path = tmp_path / "out" / f"report{suffix}"
    write_report(build_report(entries), path)
    assert path.read_text(encoding="utf-8") == REPORT_FORMATS[suffix](build_report(entries))
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_bad_reports_are_refused(entries, tmp_path: Path):
    with pytest.raises(OutputError, match=r"\.html"):
        write_report(build_report(entries), tmp_path / "report.pdf")
    with pytest.raises(DataError, match="at least"):
        build_report([])
    with pytest.raises(DataError, match=r"name them apart, each as NAME=FOLDER"):
        build_report([entries[0], entries[0]])


def test_curves_end_where_their_values_say():
    svg = draw_curves([Line("a", np.array([1.0, 0.5, 0.0]), 0.5)], np.array([0, 0.5, 1]), title="t", axis="x")
    points = re.search(r'points="([^"]+)"', svg)
    assert points is not None
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points[1].split())
    assert x0 < x1 < x2
    assert y0 < y1 < y2
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.11)


def test_bars_are_as_long_as_their_values():
    svg = draw_bars([("blur", [0.5, None]), ("fog", [0.25, 1.0])], ["a", "b"])
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', svg)]
    assert widths == [200, 100, 400]


def test_latex_takes_every_mark_of_a_name(entries):
    report = build_report([replace(entries[0], tracker='a<b>c|d"2')])
    assert r"a\textless{}b\textgreater{}c\textbar{}d\char34{}2" in to_latex(report)


def test_long_names_are_cut_in_legends_and_given_whole_as_titles():
    name = "tracker & " * 12
    svg = draw_curves([Line(name, np.ones(3), 1.0)], np.array([0, 0.5, 1]), title="t", axis="x")
    shown = re.search(r"</title>([^<]*)</text>", svg)
    assert shown is not None
    assert shown[1].startswith("100.0  tracker &amp; ")
    assert shown[1].endswith("…")
    assert len(unescape(shown[1])) < 55
    assert svg.count(f"<title>{escape(name)}</title>") == 2


def test_bars_and_keys_are_numbered_where_colours_repeat():
    many = [f"t{index}" for index in range(len(COLOURS) + 1)]
    assert number_trackers(many)[-1] == "(9) t8"
    assert ">50.0 (9)</text>" in draw_bars([("blur", [0.5] * len(many))], many)
    assert number_trackers(many[:-1]) == many[:-1]
    assert ">50.0</text>" in draw_bars([("blur", [0.5] * len(COLOURS))], many[:-1])
