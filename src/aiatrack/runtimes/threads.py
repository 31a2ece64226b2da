"""How many threads a runtime may use."""

import os


def requested_threads() -> int | None:
    """What `OMP_NUM_THREADS` says, by which users and our evaluation limit a process; None: no wish."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) else None
