"""Python types as JSON Schema, and JSON values as those types."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import Enum, IntEnum, StrEnum
from random import Random
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Optional, Required, TypedDict, Union

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ConfigurationError, ResponseDecodeError
from gradient_async._protocol.codec.json_text import encode_json
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async.testing.model.schema_sampler import SchemaSampler

UserId = NewType("UserId", int)


class Unit(Enum):
    C = "celsius"
    F = "fahrenheit"


class Size(StrEnum):
    SMALL = "s"


class Level(IntEnum):
    LOW = 1


class Odd(Enum):
    PAIR = (1, 2)


class Pair(NamedTuple):
    left: int


@attrs.define
class Item:
    name: str
    price: float = 1.5


@dataclasses.dataclass
class Place:
    city: str
    tags: list[str] = dataclasses.field(default_factory=list)


class Options(TypedDict, total=False):
    depth: Required[int]
    title: str


class Note(TypedDict):
    text: str
    lang: NotRequired[str]


class Postponed(TypedDict):
    """What ``from __future__ import annotations`` makes of `Note`."""

    text: "str"
    lang: "NotRequired[str]"


class PostponedOptions(TypedDict, total=False):
    depth: "Required[int]"
    title: "str"


@attrs.define
class Tree:
    """A tree.

    More of it.

    Attributes:
        name: What it is called,
            in one word.
    """

    name: str
    children: list["Tree"] = attrs.field(factory=list)


@attrs.define
class Private:
    _count: int = attrs.field(metadata={"description": "How many."})
    made: str = attrs.field(init=False, default="here")


def holder(kind: Any) -> type:
    """Return a class with one field of this kind."""
    return attrs.make_class("Holder", {"x": attrs.field(type=kind)})


def schema_of(kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = object_schema(holder(kind))["properties"]["x"]
    return found


def fitted(value: Any, kind: Any) -> Any:
    return convert({"x": value}, holder(kind), subject="It").x  # type: ignore[attr-defined]  # made above


ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": "number", "default": 1.5}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("kind", "schema", "value", "read"),
    [
        (str, {"type": "string"}, "a", "a"),
        (int, {"type": "integer"}, 3, 3),
        (int, {"type": "integer"}, 3.0, 3),
        (float, {"type": "number"}, 3, 3.0),
        (bool, {"type": "boolean"}, True, True),
        (type(None), {"type": "null"}, None, None),
        (Any, {}, [1], [1]),
        (UserId, {"type": "integer"}, 7, 7),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}, "b", "b"),
        (Literal["a", 1, None], {"type": ["string", "integer", "null"], "enum": ["a", 1, None]}, None, None),  # noqa: PYI061 - that spelling too
        (Literal[Unit.C], {"type": "string", "enum": ["celsius"]}, "celsius", Unit.C),
        (Unit, {"type": "string", "enum": ["celsius", "fahrenheit"]}, "celsius", Unit.C),
        (Size, {"type": "string", "enum": ["s"]}, "s", Size.SMALL),
        (Level, {"type": "integer", "enum": [1]}, 1, Level.LOW),
        (list[int], {"type": "array", "items": {"type": "integer"}}, [1], [1]),
        (list, {"type": "array", "items": {}}, [1, "a"], [1, "a"]),
        (Sequence[str], {"type": "array", "items": {"type": "string"}}, ["a"], ["a"]),
        (Iterable[str], {"type": "array", "items": {"type": "string"}}, ["a"], ["a"]),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}, [1, 2], (1, 2)),
        (tuple, {"type": "array", "items": {}}, [1, "a"], (1, "a")),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
            [1, "a"],
            (1, "a"),
        ),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ["a"], {"a"}),
        (frozenset[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1], frozenset({1})),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": 1}),
        (Mapping[str, Item], {"type": "object", "additionalProperties": ITEM}, {"a": {"name": "b"}}, {"a": Item("b")}),
        (dict, {"type": "object", "additionalProperties": {}}, {"a": [1]}, {"a": [1]}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, None),  # noqa: UP045 - that spelling too
        (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "1", "1"),  # noqa: UP007 - the same
        (int | float, {"anyOf": [{"type": "integer"}, {"type": "number"}]}, 2.5, 2.5),
        (Item | list[int], {"anyOf": [ITEM, {"type": "array", "items": {"type": "integer"}}]}, [1], [1]),
        (Annotated[str, "what it is"], {"type": "string", "description": "what it is"}, "a", "a"),
        (list[Annotated[int, "one"]], {"type": "array", "items": {"type": "integer", "description": "one"}}, [1], [1]),
        (
            datetime,
            {"type": "string", "format": "date-time"},
            "2026-05-08T12:00:00Z",
            datetime(2026, 5, 8, 12, tzinfo=UTC),
        ),
        (date, {"type": "string", "format": "date"}, "2026-05-08", date(2026, 5, 8)),
        (Item, ITEM, {"name": "a", "price": 2}, Item("a", 2.0)),
        (
            Place,
            {
                "type": "object",
                "properties": {"city": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
                "required": ["city"],
                "additionalProperties": False,
            },
            {"city": "a"},
            Place("a"),
        ),
        (
            Options,
            {
                "type": "object",
                "properties": {"depth": {"type": "integer"}, "title": {"type": "string"}},
                "required": ["depth"],
                "additionalProperties": False,
            },
            {"depth": 1},
            {"depth": 1},
        ),
        (
            Note,
            {
                "type": "object",
                "properties": {"text": {"type": "string"}, "lang": {"type": "string"}},
                "required": ["text"],
                "additionalProperties": False,
            },
            {"text": "a", "lang": "b"},
            {"text": "a", "lang": "b"},
        ),
        (
            Private,
            {
                "type": "object",
                "properties": {"count": {"type": "integer", "description": "How many."}},
                "required": ["count"],
                "additionalProperties": False,
            },
            {"count": 2},
            Private(2),
        ),
    ],
    ids=str,
)
def test_a_type_has_a_schema_and_reads_what_fits_it(kind: Any, schema: Any, value: Any, read: Any) -> None:
    assert schema_of(kind) == schema
    found = fitted(value, kind)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (None, "Holder.x has no annotation"),
        (complex, "Holder.x is complex, which has no JSON Schema; give str"),
        (list[bytes], "Holder.x is bytes"),
        (object, "Holder.x is object"),
        (Pair, "Holder.x is Pair"),
        (dict[int, str], r"Holder.x is dict\[int, str\]; names in JSON are text"),
        ([str], "which has no JSON Schema"),
        (Odd, "JSON cannot express"),
        (Literal[b"a"], "JSON cannot express"),
        (list[dict[str, set[complex]]], "Holder.x is complex"),
    ],
    ids=str,
)
def test_what_has_no_schema_says_where_and_what_to_do(kind: Any, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        schema_of(kind)


def test_a_typed_dict_with_postponed_annotations_may_leave_out_what_its_schema_says() -> None:
    assert schema_of(Postponed)["required"] == ["text"]
    assert fitted({"text": "a"}, Postponed) == {"text": "a"}
    assert schema_of(PostponedOptions)["required"] == ["depth"]
    with pytest.raises(ResponseDecodeError, match=r"\$\.x\.depth: it is missing"):
        fitted({"title": "a"}, PostponedOptions)


def test_a_name_that_nobody_defines_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"'Nowhere' is not defined\. Define that name at the top"):
        object_schema(attrs.make_class("Lost", {"x": attrs.field(type="Nowhere")}))


def test_a_class_inside_itself_is_a_definition() -> None:
    assert object_schema(Tree)["properties"]["children"] == {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
    assert object_schema(holder(Tree))["properties"]["x"] == {"$ref": "#/$defs/Tree"}
    assert object_schema(holder(Tree))["$defs"].keys() == {"Tree"}
    read = fitted({"name": "a", "children": [{"name": "b"}]}, Tree)
    assert read == Tree("a", [Tree("b")])


def test_docstrings_describe_a_class_and_its_fields() -> None:
    schema = object_schema(Tree)
    assert schema["description"] == "A tree."
    assert schema["properties"]["name"]["description"] == "What it is called, in one word."
    assert "description" not in object_schema(Place)  # a dataclass writes its own


def test_a_strict_schema_requires_everything_and_has_no_defaults() -> None:
    strict = object_schema(holder(Item | set[str]), is_strict=True)["properties"]["x"]
    item, names = strict["anyOf"]
    assert item["required"] == ["name", "price"]
    assert item["properties"]["price"] == {"type": "number"}
    assert names == {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("value", "kind", "path", "reason"),
    [
        ("3", int, "$.x", "expected an integer, got a string"),
        (True, int, "$.x", "expected an integer, got true or false"),
        (3, str, "$.x", "expected a string, got an integer"),
        (None, str, "$.x", "expected a string, got null"),
        (1, None | str, "$.x", "expected a string, got an integer"),
        (1, type(None), "$.x", "expected null, got an integer"),
        (10**400, float, "$.x", "too large for a float"),
        ("c", Unit, "$.x", 'expected one of "celsius", "fahrenheit", got "c"'),
        (True, Literal[1, 2], "$.x", "expected one of 1, 2, got true"),
        ("abc", list[str], "$.x", "expected a list, got a string"),
        ([1, "a"], list[int], "$.x[1]", "expected an integer, got a string"),
        ([1], tuple[int, str], "$.x", "expected 2 items, got 1"),
        ({"a": {"b": "c"}}, dict[str, dict[str, int]], "$.x['a']['b']", "expected an integer"),
        ([], dict[str, int], "$.x", "expected an object, got a list"),
        ({}, Item, "$.x.name", "it is missing"),
        ({"name": "a", "size": 1}, Item, "$.x", "unknown name 'size'"),
        ([{"name": "a", "price": "1"}], list[Item], "$.x[0].price", "expected a number, got a string"),
        ({"title": "a"}, Options, "$.x.depth", "it is missing"),
        ({"depth": 1, "other": 2}, Options, "$.x", "unknown name 'other'"),
        ({"name": "a", "children": [{"name": 1}]}, Tree, "$.x.children[0].name", "expected a string"),
        ([], int | Item, "$.x", "expected int or Item, got a list that fits none of them"),
        ("yesterday", date, "$.x", "expected a date in ISO 8601 format, got 'yesterday'"),
    ],
)
def test_what_does_not_fit_says_where_and_why(value: Any, kind: Any, path: str, reason: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        fitted(value, kind)
    assert (caught.value.path, str(caught.value)[: len("It does not fit Holder")]) == (
        path,
        "It does not fit Holder",
    )
    assert reason in str(caught.value)


def test_what_a_validator_of_the_caller_says_is_told() -> None:
    @attrs.define
    class Range:
        low: int = attrs.field(validator=attrs.validators.ge(0))

    with pytest.raises(ResponseDecodeError, match=r"'low' must be >= 0: -1"):
        convert({"low": -1}, Range, subject="It")


SCALARS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text()),
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (Unit, st.sampled_from([unit.value for unit in Unit])),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Item, st.builds(lambda name, price: {"name": name, "price": price}, st.text(), st.floats(0, 9))),
    (Note, st.builds(lambda text: {"text": text}, st.text())),
]


def grown(pairs: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        pairs.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),
        pairs.map(lambda pair: (dict[str, pair[0]], st.dictionaries(st.text(), pair[1], max_size=3))),
        pairs.map(lambda pair: (tuple[pair[0], ...], st.lists(pair[1], max_size=3))),
        pairs.map(lambda pair: (pair[0] | None, pair[1] | st.none())),
    )


KINDS = st.recursive(st.sampled_from(SCALARS), grown, max_leaves=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_what_was_read_is_what_was_sent(data: st.DataObject) -> None:
    kind, values = data.draw(KINDS)
    value = data.draw(values)
    assert json.loads(encode_json(fitted(value, kind))) == value


@given(KINDS, st.integers())
def test_what_another_reader_makes_of_a_schema_fits_its_type(pair: Any, seed: int) -> None:
    kind, _ = pair
    for is_strict in (False, True):
        schema = object_schema(holder(kind), is_strict=is_strict)
        convert(
            SchemaSampler(root=schema, question="Is it 5?", random=Random(seed)).sample_value(),
            holder(kind),
            subject="It",
        )


@given(KINDS, JSON)
def test_anything_fits_or_says_why_not(pair: Any, value: Any) -> None:
    kind, _ = pair
    with suppress(ResponseDecodeError):
        fitted(value, kind)


@given(st.floats())
def test_a_default_that_json_cannot_carry_is_not_told(default: float) -> None:
    schema = object_schema(attrs.make_class("Holder", {"x": attrs.field(type=float, default=default)}))
    assert ("default" in schema["properties"]["x"]) == math.isfinite(default)
