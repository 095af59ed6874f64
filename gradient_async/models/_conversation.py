"""The base of the parts of a conversation: results that are sent back in the next request.

A part has a ``type``, and services invent types faster than clients learn them. The attributes of a part hold the
values of documented types. A value that they cannot hold stays in the JSON object as it arrived:

    {"type": "tool_search_call", "arguments": {"query": "tea"}}    ``arguments`` is the text ``'{"query":"tea"}'``;
                                                                   `ConversationItem.to_dict` returns the object
    {"type": "function_call", "arguments": {"query": "tea"}}       the documents demand text: it returns the text
"""

from types import UnionType
from typing import Any, ClassVar, get_args, get_origin

import attrs

from gradient_async.models._base import Model

JSONType = type[Any]


@attrs.define(kw_only=True, eq=False, repr=False)
class ConversationItem(Model):
    """A part of a conversation that can be sent back unchanged."""

    type: str
    _documented_types: ClassVar[frozenset[str]] = frozenset()
    """The types for which the attributes have the documented types of JSON."""
    _json_types: ClassVar[dict[str, JSONType]] = {}
    """The type of JSON that each attribute holds."""

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        super().__attrs_init_subclass__()
        fields = (field for field in attrs.fields(cls) if field.name in cls.wire_fields)
        cls._json_types = {field.name: _find_json_type(field.type) for field in fields}

    @property
    def _unheld(self) -> dict[str, Any]:
        """The fields that arrived and are held by no attribute: unknown ones, and values of another type."""
        return {name: value for name, value in self._load_raw().items() if not self._holds(name, value)}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: every field that is not None, then every field that no attribute holds."""
        return super().to_dict() | self._unheld

    def _holds(self, name: str, value: Any) -> bool:
        """Whether the attribute *name* stands for *value*, which arrived."""
        expected = self._json_types.get(name)
        if expected is None or value is None:
            return expected is not None
        if type(value) is expected and (expected is not list or all(type(item) is dict for item in value)):
            return True
        is_json_text = expected is str and isinstance(value, dict | list)
        return getattr(self, name) is not None and not (is_json_text and self.type not in self._documented_types)


def _find_json_type(annotation: Any) -> JSONType:
    """Return ``str``, ``dict`` or ``list`` for the *annotation* of an attribute."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kind: JSONType = next(get_origin(kind) or kind for kind in kinds if kind is not type(None))
    return kind
