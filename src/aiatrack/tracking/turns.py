"""Calls of one tracker, one after the other: frames have an order."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from aiatrack.errors import TrackingError

Calls = list[object]
"""Those under way."""


class HasCalls(Protocol):
    """Keeps the calls of its methods that are under way; empty at first."""

    _calls: Calls


_Self = TypeVar("_Self", bound=HasCalls)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def one_at_a_time(
    method: Callable[Concatenate[_Self, _Arguments], _Result],
) -> Callable[Concatenate[_Self, _Arguments], _Result]:
    """Refuse a call while another one, of another thread, is under way.

    Raises:
        TrackingError: from the method, when that happens.
    """

    @wraps(method)
    def alone(self: _Self, /, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        # A list, since a lock would stay locked if its caller were interrupted right after taking it.
        call = object()
        try:
            self._calls.append(call)
            if self._calls[0] is not call:
                raise TrackingError("two threads use one tracker at once: let them wait for one another")
            return method(self, *arguments, **named)
        finally:
            self._calls.remove(call)

    return alone
