"""Schema documents that Pydantic and msgspec made, as parts of a document of ours.

Contract: pure. Definitions are written in place, as for our own classes; only one that contains itself stays a
reference. Titles and discriminators are left out: the former repeat names, the latter belong to OpenAPI. A strict
schema keeps the keywords that strict decoding takes; what is lost is checked when the content is decoded.
Source: JSON Schema 2020-12; OpenAI's supported schemas of structured outputs.
"""

# The schema of a field, as in `class City(BaseModel): people: PositiveInt = 1`:
#
#   of Pydantic   {"title": "People", "type": "integer", "exclusiveMinimum": 0, "default": 1}
#   ours          {"type": "integer", "exclusiveMinimum": 0, "default": 1}
#   ours, strict  {"type": "integer", "exclusiveMinimum": 0}, and `people` is required

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import attrs

Schema = dict[str, Any]
Define = Callable[[Hashable, str, Callable[[], Schema]], Schema]

REFERENCE = "#/$defs/"
_DROPPED = frozenset({"$defs", "$ref", "title", "discriminator"})
_STRICT = frozenset({
    "type", "enum", "const", "description", "anyOf", "properties", "required", "additionalProperties", "items",
    "prefixItems", "minItems", "maxItems", "pattern", "format", "multipleOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
})  # fmt: skip
_STRICT_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_LOOKAROUND = re.compile(r"\(\?<?[=!]")
"""A part of a pattern that strict decoding refuses."""
_SCHEMA_MAPS = frozenset({"properties", "patternProperties"})


@attrs.frozen(eq=False)
class ForeignDocument:
    """A schema document of another library.

    Attributes:
        document: The document, whose definitions are under ``$defs``.
        is_strict: Whether the schema is for strict decoding.
        define: Builds the schema of a definition, by a key and a name, or returns a reference to it if it contains
            itself.
    """

    document: Mapping[str, Any]
    is_strict: bool
    define: Define
    _key: str = attrs.field(init=False)

    @_key.default
    def _identify(self) -> str:
        return json.dumps(self._definitions, sort_keys=True, default=repr)

    @property
    def _definitions(self) -> Mapping[str, Schema]:
        found: Mapping[str, Schema] = self.document.get("$defs", {})
        return found

    def build_schema(self) -> Schema:
        """Return the schema of the document in our form."""
        return self._convert(self.document)

    def _convert(self, schema: Mapping[str, Any]) -> Schema:
        """Return a schema in our form; keywords beside a reference override those of its target."""
        own = {name: self._convert_keyword(name, value) for name, value in schema.items() if self._keeps(name, value)}
        if "oneOf" in schema and self.is_strict:
            own["anyOf"] = self._convert_keyword("oneOf", schema["oneOf"])
        if "$ref" not in schema:
            return self._close_object(own) if self.is_strict else own
        target = self._resolve(schema["$ref"])
        return target if "$ref" in target else {**target, **own}

    def _resolve(self, reference: str) -> Schema:
        name = reference.removeprefix(REFERENCE)
        return self.define((name, self._key), name, lambda: self._convert(self._definitions[name]))

    def _keeps(self, name: str, value: Any) -> bool:
        if name in _DROPPED or not self.is_strict:
            return name not in _DROPPED
        if name == "format":
            return value in _STRICT_FORMATS
        return name in _STRICT and not (name == "pattern" and _LOOKAROUND.search(value))

    def _convert_keyword(self, name: str, value: Any) -> Any:
        """Return the value of a keyword, with the schemas inside it in our form."""
        if name in _SCHEMA_MAPS:
            return {key: self._convert(schema) for key, schema in value.items()}
        if name in ("default", "const", "enum", "examples"):
            return value
        if isinstance(value, list):
            return [self._convert(item) if isinstance(item, Mapping) else item for item in value]
        return self._convert(value) if isinstance(value, Mapping) else value

    def _close_object(self, schema: Schema) -> Schema:
        """Require every property of an object and forbid others; an object without properties has any names."""
        if schema.get("type") != "object" or ("properties" not in schema and "additionalProperties" in schema):
            return schema
        properties = schema.get("properties", {})
        return {**schema, "properties": properties, "required": list(properties), "additionalProperties": False}
