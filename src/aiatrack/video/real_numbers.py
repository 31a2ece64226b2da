"""Numbers of a caller, whatever library they come from, as Python's own."""

from fractions import Fraction
from numbers import Real
from typing import Any

from aiatrack.errors import SettingsError


def check_real(value: Any, name: str) -> Fraction | float:
    """Return a real number, such as NumPy's, as a float; a `Fraction` stays exact.

    Args:
        value: to be checked; it may be infinite or NaN.
        name: what it is, for the error message.

    Raises:
        SettingsError: it is no real number, or too large for a float.
    """
    # True is a whole number to Python, the same one as 1.
    if not isinstance(value, Real) or isinstance(value, bool):
        raise SettingsError(f"{name} must be a number, such as 25 or 0.5; got {value!r:.80}")
    try:
        number = float(value)
    except OverflowError as error:
        # Not shown: Python refuses to print whole numbers of more than 4300 digits.
        raise SettingsError(f"{name} must be finite; got a number too large for a float") from error
    return value if isinstance(value, Fraction) else number
