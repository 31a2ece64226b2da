"""Numbers of things in words, for notes and titles."""


def count_sequences(number: int) -> str:
    """Such as `1 sequence` or `3 sequences`."""
    return "1 sequence" if number == 1 else f"{number} sequences"
