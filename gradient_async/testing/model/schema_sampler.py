"""Samples of a JSON Schema that take words and numbers from a question where possible.

Contract: pure; the same schema, question and random generator give the same value. Covers the keywords of function
parameters and response formats: types, enum, const, default, properties, items, bounds, anyOf/oneOf/allOf and local
references.
Source: JSON Schema 2020-12.

Example: for the question "Is it warm in New York on day 12?", ``{"type": "integer"}`` gives 12, ``{"type": "string"}``
gives "New York", and ``{"enum": ["cold", "warm"]}`` gives "warm".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import attrs

_MAX_DEPTH = 6
_FORMATS = {
    "date": "2026-05-08",
    "date-time": "2026-05-08T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "0b0c4c0e-5a53-4534-87b4-94f9733131b9",
}

Schema = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class SchemaSampler:
    """Samples values of one schema.

    Attributes:
        root: The complete schema, in which references are resolved.
        question: The text whose words and numbers are used.
        random: The random generator.
    """

    root: Schema
    question: str
    random: Random

    def sample_value(self, schema: Schema | None = None, name: str = "", depth: int = 0) -> Any:
        """Return a value of *schema*, by default of the complete schema.

        Args:
            schema: The schema of the value.
            name: The name of the value's field.
            depth: The number of enclosing objects and arrays; past the maximum, optional values are left out.
        """
        schema = self._resolve_schema(self.root if schema is None else schema, may_nest=depth < _MAX_DEPTH)
        if depth > 2 * _MAX_DEPTH:
            return None
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if options := schema.get("enum"):
            mentioned = [option for option in options if str(option).lower() in self.question.lower()]
            return (mentioned or self.random.sample(options, 1))[0]
        samplers: Mapping[str, Callable[[Schema, str, int], Any]] = {
            "object": self._sample_object,
            "array": self._sample_array,
            "string": self._sample_string,
            "integer": self._sample_integer,
            "number": self._sample_number,
            "boolean": lambda *_: self.random.random() < 0.5,
            "null": lambda *_: None,
        }
        return samplers.get(_schema_type(schema), self._sample_string)(schema, name, depth)

    def _resolve_schema(self, schema: Any, *, may_nest: bool = True) -> Schema:
        """Return the schema that references and choices lead to; null where it is allowed and nothing *may_nest*."""
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" in schema:
            found: Any = self.root
            for key in filter(None, schema["$ref"].lstrip("#/").split("/")):
                found = found.get(key, {}) if isinstance(found, Mapping) else {}
            return self._resolve_schema(found, may_nest=may_nest)
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            if not may_nest and (null := next((option for option in options if option.get("type") == "null"), None)):
                return self._resolve_schema(null)
            chosen: Any = next((option for option in options if option.get("type") != "null"), {})
            return self._resolve_schema(chosen, may_nest=may_nest)
        if schema.get("allOf"):
            return {key: value for part in schema["allOf"] for key, value in self._resolve_schema(part).items()}
        return schema

    def _sample_object(self, schema: Schema, _: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        names = required if depth >= _MAX_DEPTH else properties
        return {name: self.sample_value(properties.get(name, {}), name, depth + 1) for name in names}

    def _sample_array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        first, least = schema.get("prefixItems", []), schema.get("minItems", 0)
        size = least if depth >= _MAX_DEPTH else max(least, len(first) or 1)
        items = [*first[:size], *[schema.get("items", {})] * (size - len(first))]
        return [self.sample_value(item, name, depth + 1) for item in items]

    def _sample_string(self, schema: Schema, name: str, _: int) -> str:
        text = _FORMATS.get(schema.get("format", "")) or self._sample_word(name)
        return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]

    def _sample_integer(self, schema: Schema, _: str, __: int) -> int:
        found = re.search(r"-?\d+", self.question)
        return round(_clamp_number(schema, int(found.group()) if found else self.random.randint(1, 10)))

    def _sample_number(self, schema: Schema, _: str, __: int) -> float:
        found = re.search(r"-?\d+(\.\d+)?", self.question)
        return _clamp_number(schema, float(found.group()) if found else self.random.randint(1, 99) / 10)

    def _sample_word(self, name: str) -> str:
        """Return the question for a field such as ``query``, else the question's first proper name."""
        if re.search("query|question|text|prompt|expression|answer|summary|message", name):
            return self.question.strip() or name
        names = re.findall(r"(?<!^)(?<![.?!] )\b[A-Z]\w*(?: [A-Z]\w*)*", self.question)
        return names[0] if names else name or "value"


def _schema_type(schema: Schema) -> str:
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if isinstance(kind, str):
        return kind
    return next((option for option in kind if option != "null"), "null")


def _clamp_number(schema: Schema, number: float) -> float:
    low, high = _read_bound(schema, "Minimum", 1), _read_bound(schema, "Maximum", -1)
    number = number if low is None else max(number, low)
    return number if high is None else min(number, high)


def _read_bound(schema: Schema, name: str, inward: int) -> float | None:
    if name.lower() in schema:
        return float(schema[name.lower()])
    exclusive = schema.get(f"exclusive{name}")
    return None if exclusive is None else float(exclusive) + inward
