"""What every result has in common: equality, a readable repr, and the way back to JSON.

The classes are slotted attrs without generated ``__eq__`` and ``__repr__``: the shared ones below halve
what each class costs at import. The modules of results do without postponed annotations, whose text would have to be
compiled when the converter first reads it.
"""

import json
from datetime import datetime
from typing import Any, ClassVar

import attrs

from gradient_async.models._raw_source import RawValue, load_object

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


@attrs.define(kw_only=True, eq=False, repr=False)
class Model:
    """A result of the service."""

    wire_fields: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that the class shares with the service's JSON."""

    _raw: RawValue = attrs.field(default=None, alias="raw", metadata=NOT_WIRE)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        cls.wire_fields = tuple(f.name for f in attrs.fields(cls) if f.metadata.get("wire", True))

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object this was decoded from, unknown fields included.

        Of an assembled result it holds the unknown fields alone; of one made by hand it is `to_dict`.
        """
        return self.to_dict() if self._raw is None else self._load_raw()

    @property
    def extra(self) -> dict[str, Any]:
        """The fields that arrived and that this class does not know."""
        return {name: value for name, value in self._load_raw().items() if name not in self.wire_fields}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: every field that is set, then every unknown field that arrived."""
        known = {name: value for name in self.wire_fields if (value := getattr(self, name)) is not None}
        return {name: to_jsonable(value) for name, value in known.items()} | self.extra

    def to_json(self) -> str:
        """Return `to_dict` as JSON text, ASCII only, so that odd characters survive any transport."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    def _load_raw(self) -> dict[str, Any]:
        """Return the JSON object this was decoded from; decode it on first access."""
        if self._raw is None:
            return {}
        if type(self._raw) is not dict:
            self._raw = load_object(self._raw, type(self))
        return self._raw

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.wire_fields)

    __hash__ = None  # type: ignore[assignment]  # a result can change, so it cannot be a key

    def __repr__(self) -> str:
        shown = ((name, getattr(self, name)) for name in self.wire_fields)
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in shown if v is not None)})"
