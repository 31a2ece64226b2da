"""Numbers and metrics in words, for notes, titles and tables."""

METRIC_TITLES = {
    "success_auc": "success",
    "precision": "precision",
    "normalised_precision": "normalised precision",
    "average_overlap": "mean overlap",
    "success_at_50": "success at 0.5",
    "success_at_75": "success at 0.75",
}
"""Title of each of `METRICS`."""

METRIC_COLUMNS = {
    "success_auc": "AUC",
    "precision": "P",
    "normalised_precision": "P_norm",
    "average_overlap": "AO",
    "success_at_50": "SR 0.5",
    "success_at_75": "SR 0.75",
}
"""Short column title of each of `METRICS`."""


def count_sequences(number: int) -> str:
    """Such as `1 sequence` or `3 sequences`."""
    return "1 sequence" if number == 1 else f"{number} sequences"


def write_points(share: float) -> str:
    """A share in [0, 1] as tables show it, in points of a hundred with two decimals."""
    return f"{100 * share:.2f}"
