"""What every result has in common: equality, a readable repr, and the way back to JSON.

The classes are slotted attrs without generated ``__eq__`` and ``__repr__``: the shared ones below halve
what each class costs at import. The modules of results do without postponed annotations, whose text would have to be
compiled when the converter first reads it.
"""

import json
from datetime import datetime
from functools import reduce
from operator import getitem
from typing import Any, ClassVar

import attrs

NOT_WIRE = {"wire": False}
"""Metadata of a field that is ours and not part of the service's JSON."""


def to_jsonable(value: Any) -> Any:
    """Return *value* with every model inside it turned into a dict, every date into RFC 3339."""
    if type(value) is str:
        return value
    if isinstance(value, dict):  # most of what is in a body is text, and a call is dearer than the question
        return {key: item if type(item) is str else to_jsonable(item) for key, item in value.items()}
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


@attrs.frozen
class JSONTextSource:
    """What a result was decoded from, if that was text.

    Attributes:
        is_known: Whether the models know every field in it.
    """

    is_known: bool

    def source(self, _cls: type["Model"], document: list[Any], *path: str | int) -> Any:
        """Return the JSON object at *path* in *document*.

        That is a list which all models of one text share: it holds the text, and what was decoded from it as soon as
        one of them asks. Were it decoded for each, the time would grow with the square of the text.
        """
        if isinstance(document[0], bytes):
            document[0] = json.loads(document[0].decode(errors="replace"))
        return reduce(getitem, path, document[0])


@attrs.define(kw_only=True, eq=False, repr=False)
class Model:
    """A result of the service."""

    wire_fields: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that the class shares with the service's JSON."""

    _raw: dict[str, Any] | bytes | tuple[Any, ...] | None = attrs.field(default=None, alias="raw", metadata=NOT_WIRE)
    """What it was decoded from: the JSON object, its text, or a tuple of something with a ``source`` and what that
    needs to know."""

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        cls.wire_fields = tuple(f.name for f in attrs.fields(cls) if f.metadata.get("wire", True))

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object this was decoded from, unknown fields included.

        Of an assembled result it holds the unknown fields alone; of one made by hand it is `to_dict`.
        """
        return self.to_dict() if self._raw is None else self._source()

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that arrived and that this class does not know."""
        return {name: value for name, value in self._source().items() if name not in self.wire_fields}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: every field that is set, then every unknown field that arrived."""
        known = {name: value for name in self.wire_fields if (value := getattr(self, name)) is not None}
        return {name: to_jsonable(value) for name, value in known.items()} | self.extra

    def to_json(self) -> str:
        """Return `to_dict` as JSON text, ASCII only, so that odd characters survive any transport."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    def _source(self) -> dict[str, Any]:
        """Return what arrived, decoded when it is first asked for."""
        if isinstance(self._raw, bytes):
            self._raw = json.loads(self._raw.decode(errors="replace"))
        elif isinstance(self._raw, tuple):
            kept, *where = self._raw
            self._raw = kept.source(type(self), *where)
        return self._raw if isinstance(self._raw, dict) else {}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.wire_fields)

    __hash__ = None  # type: ignore[assignment]  # a result can change, so it cannot be a key

    def __repr__(self) -> str:
        shown = ((name, getattr(self, name)) for name in self.wire_fields)
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in shown if v is not None)})"
