"""Sample types for the tests of schemas and conversion, and a table of types with their schemas and values."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum, IntEnum, StrEnum
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
)

import attrs
from hypothesis import strategies as st
from typing_extensions import ReadOnly

T = TypeVar("T")
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
    """`Note` with postponed annotations, as under ``from __future__ import annotations``."""

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


@dataclasses.dataclass
class Page(Generic[T]):
    items: list[T]


@attrs.define
class Keyed(Generic[T]):
    key: T


@attrs.define
class Priced(Keyed[int], Generic[T]):  # whose T is not that of its base
    prices: dict[str, T] | None = None


class Named(TypedDict, Generic[T]):
    value: NotRequired[T]


@dataclasses.dataclass
class Fixed:
    code: Final[int]


class Sealed(TypedDict):
    code: ReadOnly[int]


def make_holder(annotation: Any) -> type:
    """Return a class with one field ``x`` of this type."""
    return attrs.make_class("Holder", {"x": attrs.field(type=annotation)})


ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": "number", "default": 1.5}},
    "required": ["name"],
    "additionalProperties": False,
}


def close_object(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


INTEGER, NUMBER, STRING = {"type": "integer"}, {"type": "number"}, {"type": "string"}
PRICES = {"anyOf": [{"type": "object", "additionalProperties": NUMBER}, {"type": "null"}]}

TYPE_TABLE: list[tuple[Any, dict[str, Any], Any, Any]] = [
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
    (Page[str], close_object(["items"], items={"type": "array", "items": STRING}), {"items": ["a"]}, Page(["a"])),
    (
        Priced[float],
        close_object(["key"], key=INTEGER, prices=PRICES),
        {"key": 1, "prices": {"a": 2}},
        Priced(1, {"a": 2.0}),
    ),
    (Named[int], close_object([], value=INTEGER), {"value": 1}, {"value": 1}),
    (Fixed, close_object(["code"], code=INTEGER), {"code": 1}, Fixed(1)),
    (Sealed, close_object(["code"], code=INTEGER), {"code": 1}, {"code": 1}),
]
"""Annotation, its schema, a JSON value that fits it, and the converted value."""


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


def _add_containers(pairs: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        pairs.map(lambda pair: (list[pair[0]], st.lists(pair[1], max_size=3))),  # type: ignore[valid-type]  # made at run time
        pairs.map(lambda pair: (dict[str, pair[0]], st.dictionaries(st.text(), pair[1], max_size=3))),  # type: ignore[valid-type]  # the same
        pairs.map(lambda pair: (tuple[pair[0], ...], st.lists(pair[1], max_size=3))),  # type: ignore[valid-type]  # the same
        pairs.map(lambda pair: (pair[0] | None, pair[1] | st.none())),
    )


TYPES_WITH_VALUES: st.SearchStrategy[Any] = st.recursive(st.sampled_from(SCALARS), _add_containers, max_leaves=4)
"""Random types, each with a strategy for JSON values that fit it."""
