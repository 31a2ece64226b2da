"""Score results on benchmarks by published rule sets, explain differences, report and submit."""

from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.benchmark import (
    Benchmark,
    BenchmarkSequence,
    SequenceCheck,
    check_benchmark,
    open_benchmark,
)
from aiatrack.evaluation.description import (
    BenchmarkDescription,
    SequenceDescription,
    benchmark_names,
    load_description,
)
from aiatrack.evaluation.dialects import DIALECTS, Dialect, import_results, select_dialect, write_results
from aiatrack.evaluation.entry import Entry, open_entry, tabulate_entry
from aiatrack.evaluation.explanation import Explanation, RulePart, explain_difference
from aiatrack.evaluation.intervals import Interval, PairedDifference, bootstrap_interval, paired_difference
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.report import Report, build_report, write_report
from aiatrack.evaluation.results import BenchmarkAnnotations, Results, read_annotations, read_results
from aiatrack.evaluation.rules import RULE_SETS, RuleSet, select_rules
from aiatrack.evaluation.scoring import METRICS, Score, score_frames, score_metric
from aiatrack.evaluation.submissions import collect_got10k, collect_trackingnet, write_submission

__all__ = [
    "DIALECTS",
    "METRICS",
    "RULE_SETS",
    "Annotation",
    "Benchmark",
    "BenchmarkAnnotations",
    "BenchmarkDescription",
    "BenchmarkSequence",
    "Dialect",
    "Entry",
    "Explanation",
    "FrameTable",
    "Interval",
    "PairedDifference",
    "Report",
    "Results",
    "RulePart",
    "RuleSet",
    "Score",
    "SequenceCheck",
    "SequenceDescription",
    "benchmark_names",
    "bootstrap_interval",
    "build_annotation",
    "build_report",
    "check_benchmark",
    "collect_got10k",
    "collect_trackingnet",
    "explain_difference",
    "import_results",
    "load_description",
    "open_benchmark",
    "open_entry",
    "paired_difference",
    "read_annotations",
    "read_results",
    "score_frames",
    "score_metric",
    "select_dialect",
    "select_rules",
    "tabulate_entry",
    "write_report",
    "write_results",
    "write_submission",
]
