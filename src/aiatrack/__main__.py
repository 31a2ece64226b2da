"""`python -m aiatrack`, for callers that know an interpreter rather than a script."""

from aiatrack.cli.main import main

if __name__ == "__main__":
    main()
