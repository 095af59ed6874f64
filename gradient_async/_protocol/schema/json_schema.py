"""Python types as JSON Schema: what a model is told of a function's parameters and of the form of an answer.

Contract: pure; the same type gives the same schema. What `typed.fit` takes for a type is what its schema allows.
Classes are written where they are used, those that contain themselves under ``$defs``. A strict schema has every
property among the required ones and no keyword that strict decoding refuses. What has no schema is a
`ConfigurationError` that names the field.
Source: JSON Schema 2020-12; OpenAI's supported schemas of structured outputs, which the service passes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from types import NoneType
from typing import Any, get_args

import attrs

from gradient_async._protocol.schema.annotations import (
    ARRAYS,
    OBJECTS,
    Field,
    bare,
    container,
    fields_of,
    is_literal,
    is_object_class,
    is_union,
    own_doc,
)
from gradient_async._protocol.schema.docstrings import first_paragraph
from gradient_async.errors import ConfigurationError

Schema = dict[str, Any]

_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null", None: "null"}
_FORMATS = {datetime: "date-time", date: "date"}
_ADVICE = (
    "give str, int, float, bool, None, a Literal, an Enum, a list, tuple, set, dict[str, ...], a union of these, "
    "datetime, date, a TypedDict, a dataclass or an attrs class"
)


def object_schema(cls: type, *, is_strict: bool = False) -> Schema:
    """Return the schema of a class of fields, as a whole document.

    Raises:
        ConfigurationError: A field has no schema; the error names it.
    """
    writer = _Writer(is_strict)
    schema = writer.schema(cls, cls.__name__)
    if "$ref" in schema:
        schema = writer.definitions[writer.names[cls]]
    return writer.document(schema)


def fields_schema(name: str, fields: Sequence[Field]) -> Schema:
    """Return the schema of an object with these *fields*, as a whole document; errors call it *name*.

    Raises:
        ConfigurationError: A field has no schema; the error names it.
    """
    writer = _Writer(is_strict=False)
    return writer.document(writer.fields(name, fields))


@attrs.define
class _Writer:
    """Writes one document.

    Attributes:
        is_strict: Whether it is for strict decoding.
        definitions: The classes that contain themselves, by name.
        names: Those names.
    """

    is_strict: bool
    definitions: dict[str, Schema] = attrs.field(factory=dict, init=False)
    names: dict[type, str] = attrs.field(factory=dict, init=False)
    _open: list[type] = attrs.field(factory=list, init=False)

    def document(self, schema: Schema) -> Schema:
        """Return *schema* with the definitions that it refers to."""
        return {**schema, "$defs": self.definitions} if self.definitions else schema

    def schema(self, kind: Any, where: str) -> Schema:
        """Return the schema of *kind*, the annotation of *where*."""
        kind, description = bare(kind)
        schema = self._kind(kind, where)
        return _described(schema, description)

    def _kind(self, kind: Any, where: str) -> Schema:
        try:
            name = _SCALARS.get(kind)
        except TypeError:  # an annotation that is no type at all: [str]
            raise _refusal(kind, where) from None
        if name is not None:
            return {"type": name}
        if kind in _FORMATS:
            return {"type": "string", "format": _FORMATS[kind]}
        if kind is Any:
            return {}
        return self._compound(kind, where)

    def _compound(self, kind: Any, where: str) -> Schema:
        if is_literal(kind):
            return _choice([_json_value(value, where) for value in get_args(kind)])
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _choice([_json_value(member, where) for member in kind])
        if is_union(kind):
            return {"anyOf": [self.schema(one, where) for one in get_args(kind)]}
        if is_object_class(kind):
            return self._class(kind)
        if container(kind) in ARRAYS:
            return self._array(kind, where)
        if container(kind) in OBJECTS:
            return self._mapping(kind, where)
        raise _refusal(kind, where)

    def _array(self, kind: Any, where: str) -> Schema:
        inside = get_args(kind)
        if container(kind) is tuple and inside and inside[-1] is not ...:
            items = [self.schema(one, where) for one in inside]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        schema: Schema = {"type": "array", "items": self.schema(inside[0], where) if inside else {}}
        is_set = issubclass(ARRAYS[container(kind)], set | frozenset)  # type: ignore[arg-type]  # each is a class
        return schema | ({"uniqueItems": True} if is_set and not self.is_strict else {})

    def _mapping(self, kind: Any, where: str) -> Schema:
        names, values = get_args(kind) or (str, Any)
        if bare(names)[0] is not str:
            raise ConfigurationError(f"{where} is {_shown(kind)}; JSON has text as names: make it dict[str, ...].")
        return {"type": "object", "additionalProperties": self.schema(values, where)}

    def _class(self, cls: type) -> Schema:
        """Return the schema of a class, or a reference to it if it is inside itself."""
        if cls in self._open or cls in self.names:
            return {"$ref": f"#/$defs/{self._named(cls)}"}
        self._open.append(cls)
        schema = self._object(cls)
        self._open.pop()
        if cls not in self.names:
            return schema
        self.definitions[self.names[cls]] = schema
        return {"$ref": f"#/$defs/{self.names[cls]}"}

    def _named(self, cls: type) -> str:
        if cls not in self.names:
            taken = [other for other in self.names if other.__name__ == cls.__name__]
            self.names[cls] = f"{cls.__name__}{len(taken) + 1}" if taken else cls.__name__
        return self.names[cls]

    def _object(self, cls: type) -> Schema:
        return _described(self.fields(cls.__name__, fields_of(cls)), first_paragraph(own_doc(cls)))

    def fields(self, name: str, fields: Sequence[Field]) -> Schema:
        """Return the schema of an object called *name* with these *fields*."""
        properties = {field.name: self._property(field, f"{name}.{field.name}") for field in fields}
        return {
            "type": "object",
            "properties": properties,
            "required": [field.name for field in fields if field.is_required or self.is_strict],
            "additionalProperties": False,
        }

    def _property(self, field: Field, where: str) -> Schema:
        if field.kind is None:
            raise ConfigurationError(f"{where} has no annotation; say what it is: {_ADVICE}.")
        schema = _described(self.schema(field.kind, where), field.description)
        default = field.default.value if isinstance(field.default, Enum) else field.default
        is_told = _is_json_scalar(default) and "$ref" not in schema and not self.is_strict
        return {**schema, "default": default} if is_told else schema


def _described(schema: Schema, description: str) -> Schema:
    """Add a description; one beside a reference is refused by strict decoding."""
    return schema if not description or "$ref" in schema else {**schema, "description": description}


def _choice(values: list[Any]) -> Schema:
    kinds = list(dict.fromkeys(_SCALARS[type(value)] for value in values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}


def _json_value(value: Any, where: str) -> Any:
    """Return what stands for a member of a Literal or an Enum."""
    found = value.value if isinstance(value, Enum) else value
    if type(found) not in _SCALARS:
        raise ConfigurationError(f"{where} may be {value!r}, which JSON cannot say; give it a str or an int as value.")
    return found


def _is_json_scalar(value: Any) -> bool:
    return type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def _refusal(kind: Any, where: str) -> ConfigurationError:
    return ConfigurationError(f"{where} is {_shown(kind)}, which has no JSON Schema; {_ADVICE}.")


def _shown(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else repr(kind)
