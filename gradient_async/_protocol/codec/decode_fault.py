"""The failure of a library to decode a value, in terms of the JSON value."""

from __future__ import annotations

from collections.abc import Sequence


class DecodeFault(Exception):  # noqa: N818 - never leaves the protocol layer
    """A value does not fit a type of a library.

    Attributes:
        steps: Names and positions on the way to the part that does not fit, outermost first.
    """

    def __init__(self, reason: str, steps: Sequence[str | int] = ()) -> None:
        super().__init__(reason)
        self.steps = tuple(steps)
