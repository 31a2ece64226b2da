"""How a run is stopped: by Ctrl-C or by SIGTERM, from its first moment on.

Imports nothing that takes time: `aiatrack.__main__` needs it before all else.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPPED_EXIT_CODE = 130
"""What shells expect of a command that Ctrl-C ended."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt(signum: int, frame: object) -> None:
    """Do what Ctrl-C does; a handler of signals."""
    raise KeyboardInterrupt


def ignore_interrupts() -> None:
    """Let no further Ctrl-C or SIGTERM break off what has to be finished."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interrupted_by_termination() -> Iterator[None]:
    """Let SIGTERM end a job as Ctrl-C does, so that its files are closed.

    Afterwards both signals do what they did before, also where they have been ignored meanwhile.
    """
    previous = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
