"""`Value` and `FrozenValue`: attrs classes that compare and print by their fields.

Contract: both behave as if attrs had generated the methods. Sharing them halves the import time of each class.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Value:  # noqa: PLW1641  # values that change have no hash
    """Mixin of an attrs class with ``eq=False, repr=False``: equality and ``repr`` by its fields; no hash."""

    __slots__ = ()
    __attrs_attrs__: ClassVar[tuple[Any, ...]]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _list_values(self) == _list_values(other)

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in self.__attrs_attrs__ if field.repr)
        name = type(self).__qualname__.rpartition(">.")[2]  # without the function that defines a subclass, as attrs
        return f"{name}({', '.join(shown)})"


class FrozenValue(Value):
    """The same for a frozen class: its objects can be keys."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(_list_values(self))


def _list_values(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, field.name) for field in value.__attrs_attrs__ if field.eq)
