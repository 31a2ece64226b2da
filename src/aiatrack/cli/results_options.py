"""Options of the commands that read results of a benchmark."""

from typing import Annotated

import typer

Partial = Annotated[
    bool,
    typer.Option(
        "--partial", help="Leave out missing or damaged results and annotation, by name, instead of refusing."
    ),
]
