"""Readers of annotations, one layout each; every one returns `Annotations`."""

from aiatrack.data.readers.json_lines import read_json_lines

__all__ = ["read_json_lines"]
