"""The command `aiatrack`, also as `python -m aiatrack`: can be stopped while the rest is still imported."""

import signal
import sys

from aiatrack.cli.stopping import STOPPED_EXIT_CODE, ignore_interrupts, interrupt


def main() -> None:
    """Run the command line and leave with its exit code; Ctrl-C and SIGTERM leave with 130."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        from aiatrack.cli.main import main as run

        run()
    except (KeyboardInterrupt, ImportError) as error:
        # Modules made with pybind11, such as OpenVINO, turn an interrupt of their import into the latter.
        if not isinstance(error.__cause__ or error, KeyboardInterrupt):
            raise
        ignore_interrupts()
        sys.exit(STOPPED_EXIT_CODE)
    finally:
        # Nothing is left to be stopped: the exit code stands, while Python and its libraries still tidy up.
        ignore_interrupts()


if __name__ == "__main__":
    main()
