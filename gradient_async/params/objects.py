"""The objects that may stand for dicts among the parameters.

Contract: for type checkers only; `_protocol.codec.request_json` reads their fields.
Source: ``model_dump`` of Pydantic 2; attrs; dataclasses; msgspec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from msgspec import Struct


class SupportsModelDump(Protocol):
    """An object with Pydantic's method ``model_dump``."""

    def model_dump(self, *, mode: str, by_alias: bool) -> Any:
        """Return the JSON form of the object."""


class AttrsInstance(Protocol):
    """An instance of an attrs class, as mypy sees it; pyright takes one for a dataclass.

    The protocol of the same name in attrs is empty for pyright, which would accept any object.
    """

    __attrs_attrs__: ClassVar[Any]


if TYPE_CHECKING:
    ObjectParam = SupportsModelDump | DataclassInstance | AttrsInstance | Struct
    """An object with fields in place of a dict: Pydantic model, dataclass, attrs class or Struct."""
