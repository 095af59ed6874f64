"""Values that fit a JSON Schema, taken from the words of a question where that is possible.

Contract: pure; the same schema, question and chance give the same value. Covers what function parameters and
response formats use: types, enum, const, default, properties, items, bounds, anyOf/oneOf/allOf and local
references.
Source: JSON Schema 2020-12.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import attrs

_DEEPEST = 6
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
class Inventor:
    """Makes values for one schema.

    Attributes:
        root: The whole schema, in which references are looked up.
        question: The text whose words are used.
        random: The source of chance.
    """

    root: Schema
    question: str
    random: Random

    def value(self, schema: Schema | None = None, name: str = "", depth: int = 0) -> Any:
        """Return a value for *schema*, the whole one unless given, that is called *name*."""
        schema = self._resolved(self.root if schema is None else schema)
        if depth > 2 * _DEEPEST:
            return None
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if schema.get("enum"):
            return self._member(schema["enum"])
        makers: Mapping[str, Callable[[Schema, str, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda *_: self.random.random() < 0.5,
            "null": lambda *_: None,
        }
        return makers.get(_kind(schema), self._string)(schema, name, depth)

    def _resolved(self, schema: Any) -> Schema:
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" in schema:
            found: Any = self.root
            for step in schema["$ref"].lstrip("#/").split("/"):
                found = found.get(step, {}) if isinstance(found, Mapping) else {}
            return self._resolved(found)
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            return self._resolved(next((option for option in options if option.get("type") != "null"), {}))
        if schema.get("allOf"):
            return {key: value for part in schema["allOf"] for key, value in self._resolved(part).items()}
        return schema

    def _object(self, schema: Schema, _: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        wanted = required if depth >= _DEEPEST else properties
        return {name: self.value(properties.get(name, {}), name, depth + 1) for name in wanted}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        size = least if depth >= _DEEPEST else max(least, 1)
        return [self.value(schema.get("items", {}), name, depth + 1) for _ in range(size)]

    def _string(self, schema: Schema, name: str, _: int) -> str:
        text = _FORMATS.get(schema.get("format", "")) or self._word(name)
        return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]

    def _integer(self, schema: Schema, _: str, __: int) -> int:
        found = re.search(r"-?\d+", self.question)
        return round(_within(schema, int(found.group()) if found else self.random.randint(1, 10)))

    def _number(self, schema: Schema, _: str, __: int) -> float:
        found = re.search(r"-?\d+(\.\d+)?", self.question)
        return _within(schema, float(found.group()) if found else self.random.randint(1, 99) / 10)

    def _member(self, options: Sequence[Any]) -> Any:
        asked = [option for option in options if str(option).lower() in self.question.lower()]
        return (asked or self.random.sample(options, 1))[0]

    def _word(self, name: str) -> str:
        """Return a name from the question, or the whole question for what sounds like a query."""
        if re.search("query|question|text|prompt|expression|answer|summary|message", name):
            return self.question.strip() or name
        names = re.findall(r"(?<!^)(?<![.?!] )\b[A-Z]\w*(?: [A-Z]\w*)*", self.question)
        return names[0] if names else name or "value"


def _kind(schema: Schema) -> str:
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if isinstance(kind, str):
        return kind
    return next((option for option in kind if option != "null"), "null")


def _within(schema: Schema, number: float) -> float:
    low, high = _bound(schema, "Minimum", 1), _bound(schema, "Maximum", -1)
    number = number if low is None else max(number, low)
    return number if high is None else min(number, high)


def _bound(schema: Schema, name: str, inward: int) -> float | None:
    if name.lower() in schema:
        return float(schema[name.lower()])
    exclusive = schema.get(f"exclusive{name}")
    return None if exclusive is None else float(exclusive) + inward
