"""Write a report in the format that a file's name asks for."""

from collections.abc import Callable

from aiatrack.atomic_files import write_text
from aiatrack.errors import OutputError
from aiatrack.evaluation.report.comparison import Report
from aiatrack.evaluation.report.page import to_html
from aiatrack.evaluation.report.tables import to_csv, to_latex, to_markdown
from aiatrack.paths import AnyPath, expand_home

REPORT_FORMATS: dict[str, Callable[[Report], str]] = {
    ".html": to_html,
    ".md": to_markdown,
    ".csv": to_csv,
    ".tex": to_latex,
}
"""What turns a report into text, by file name ending."""


def write_report(report: Report, path: AnyPath) -> None:
    """Write a report as HTML, Markdown, CSV or LaTeX, whole or not at all.

    Raises:
        OutputError: unknown ending, or the file cannot be written.
    """
    path = expand_home(path)
    suffix = path.suffix.lower()
    if suffix not in REPORT_FORMATS:
        raise OutputError(
            f"cannot write a report as {path.name}: use a name ending in {', '.join(REPORT_FORMATS)}"
        )
    write_text(path, REPORT_FORMATS[suffix](report))
