"""Errors for objects that are iterated and entered asynchronously, where they are awaited or entered in a plain block.

Type checkers do not see these methods, so that they report such a use themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar


class AsyncOnly:
    """Mixin: ``await`` and ``with`` raise a TypeError that states the right use.

    Attributes:
        _usage: The right use, for the errors and the warning about an object that was never used.
    """

    __slots__ = ()
    _usage: ClassVar[str] = "use it in 'async with ... as stream' or 'async for ... in stream'"

    if not TYPE_CHECKING:

        def __await__(self) -> None:
            raise TypeError(f"A {type(self).__name__} is not awaited; {self._usage}.")

        def __enter__(self) -> None:
            raise TypeError(f"A {type(self).__name__} has no plain 'with'; {self._usage}.")

        __exit__ = None
