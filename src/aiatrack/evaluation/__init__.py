"""Score results on benchmarks by published rule sets, explain differences, report and submit."""
