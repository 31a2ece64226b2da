"""Reports over trackers and benchmarks: one HTML page, Markdown, CSV, LaTeX."""

from aiatrack.evaluation.report.comparison import Comparison, Report, build_report
from aiatrack.evaluation.report.writing import REPORT_FORMATS, write_report

__all__ = ["REPORT_FORMATS", "Comparison", "Report", "build_report", "write_report"]
