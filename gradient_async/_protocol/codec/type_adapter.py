"""The interface to libraries of types: Pydantic and msgspec describe, decode and encode their own types.

Contract: a library is imported when one of its types is described, decoded or encoded, never to recognise a type. Types
that no adapter claims are those of `_protocol.schema`: attrs classes, dataclasses, TypedDicts and their parts, which
may hold types of a library. The types inside a library's type are its own matter.
Source: the documents of Pydantic 2 and of msgspec.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from gradient_async._protocol.codec.msgspec_adapter import MsgspecAdapter
from gradient_async._protocol.codec.pydantic_adapter import PydanticAdapter

Schema = dict[str, Any]


class TypeAdapter(Protocol):
    """Describes, decodes and encodes the types of one library."""

    def claims(self, annotation: Any) -> bool:
        """Whether *annotation* is a type of the library, or carries its constraints."""

    def build_document(self, annotation: Any) -> Schema:
        """Return the JSON Schema document of a claimed type.

        Raises:
            TypeError: The type has no JSON Schema; the error has the reason.
        """

    def decode_value(self, value: Any, annotation: Any) -> Any:
        """Convert decoded JSON to a claimed type.

        Raises:
            DecodeFault: *value* does not fit.
        """

    def encode_value(self, value: Any) -> Any:
        """Return an instance of a claimed class as JSON values, or as values that are encoded in turn.

        Raises:
            TypeError: The instance has no JSON form; the error has the reason.
        """


_ADAPTERS: tuple[TypeAdapter, ...] = (PydanticAdapter(), MsgspecAdapter())


def find_adapter(annotation: Any) -> TypeAdapter | None:
    """Return the adapter of the library that *annotation* belongs to, None for a type of no library."""
    return next((adapter for adapter in _ADAPTERS if adapter.claims(annotation)), None)


def find_description(metadata: Iterable[Any]) -> str:
    """Return the first description among the metadata of Annotated: text, or that of a library's object."""
    return next(filter(None, map(_read_description, metadata)), "")


def _read_description(item: Any) -> str:
    if isinstance(item, str):
        return item
    names = ("description", "documentation")  # of Pydantic and msgspec; of typing.Doc
    return next((text for name in names if isinstance(text := getattr(item, name, None), str)), "")
