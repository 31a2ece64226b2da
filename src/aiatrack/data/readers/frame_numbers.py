"""Numbers of frames as people write them down."""

from typing import Any

_LARGEST = 2**62


def parse_frame_number(value: Any) -> int:
    """Return a frame's number, given as a whole number or as text of one.

    Raises:
        ValueError: it is anything else.
    """
    is_number = isinstance(value, int | str) or (isinstance(value, float) and value.is_integer())
    try:
        number = int(value) if is_number and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or abs(number) > _LARGEST:
        raise ValueError(f"a frame's number must be a whole one, got {value!r:.80}")
    return number
