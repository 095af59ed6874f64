"""Types of Pydantic and msgspec for the tests of schemas and conversion, and a table of their schemas and values."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import annotated_types
import msgspec
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from tests.support.schema_types import Item


class Color(Enum):
    RED = "red"


class City(BaseModel):
    """A city."""

    name: str = Field(description="Its name.")
    people: PositiveInt = 1


class Cat(BaseModel):
    kind: Literal["cat"]
    age: int


class Dog(BaseModel):
    kind: Literal["dog"]
    owner: City | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Zoo(BaseModel):
    title: str
    pets: list[Pet] = []
    keeper: Cat = Field(description="Who cares.")


class Branch(BaseModel):
    name: str
    children: list["Branch"] = []


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    from_: str = Field(alias="from")


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def check_number(cls, number: int) -> int:
        if number % 2:
            raise ValueError("must be even")
        return number


class Odds(BaseModel):
    price: Decimal
    code: Annotated[str, Field(pattern="^[a-z]+$", min_length=1)]
    day: date
    id: UUID
    size: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    where: tuple[int, int]
    more: dict[str, Any] = {}


class Free(BaseModel):
    model_config = ConfigDict(extra="allow")


@pydantic_dataclass
class Seat:
    row: int
    color: Color = Color.RED


class Point(msgspec.Struct, rename="camel"):
    """A point."""

    left_x: int
    note: str | None = None


class Circle(msgspec.Struct, tag="circle"):
    radius: Annotated[float, msgspec.Meta(gt=0, description="In meters.")]


class Square(msgspec.Struct, tag="square", forbid_unknown_fields=True):
    side: float


class Leaf(msgspec.Struct):
    next: Optional["Leaf"] = None


class Row(msgspec.Struct, array_like=True):
    name: str
    price: float


def close_object(**properties: Any) -> dict[str, Any]:
    """Return the strict schema of an object with these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
CITY = close_object(name=STRING | {"description": "Its name."}, people=INTEGER | {"exclusiveMinimum": 0}) | {
    "description": "A city."
}
CAT = close_object(kind=STRING | {"const": "cat"}, age=INTEGER)
DOG = close_object(kind=STRING | {"const": "dog"}, owner={"anyOf": [CITY, NULL]})
BRANCH = close_object(name=STRING, children={"type": "array", "items": {"$ref": "#/$defs/Branch"}})
FELIX = {"kind": "cat", "age": 3}

STRICT_TABLE: list[tuple[Any, dict[str, Any], Any, Any]] = [
    (City, CITY, {"name": "Rome", "people": 3}, City(name="Rome", people=3)),
    (City | None, {"anyOf": [CITY, NULL]}, None, None),
    (list[City], {"type": "array", "items": CITY}, [{"name": "Rome"}], [City(name="Rome")]),
    (dict[str, City], {"type": "object", "additionalProperties": CITY}, {"a": {"name": "b"}}, {"a": City(name="b")}),
    (Annotated[City, "The town."], CITY | {"description": "The town."}, {"name": "Rome"}, City(name="Rome")),
    (Pet, {"anyOf": [CAT, DOG]}, {"kind": "dog"}, Dog(kind="dog")),
    (Cat | Dog, {"anyOf": [CAT, DOG]}, {"kind": "dog"}, Dog(kind="dog")),
    (
        Zoo,
        close_object(
            title=STRING,
            pets={"type": "array", "items": {"anyOf": [CAT, DOG]}},
            keeper=CAT | {"description": "Who cares."},
        ),
        {"title": "T", "pets": [FELIX], "keeper": FELIX},
        Zoo(title="T", pets=[Cat(kind="cat", age=3)], keeper=Cat(kind="cat", age=3)),
    ),
    (Branch, {"$ref": "#/$defs/Branch"}, {"name": "a", "children": [{"name": "b"}]}, Branch(name="a", children=[Branch(name="b")])),
    (Aliased, close_object(**{"from": STRING}), {"from": "a"}, Aliased.model_validate({"from": "a"})),
    (
        Odds,
        close_object(
            price={"anyOf": [{"type": "number"}, STRING]},
            code=STRING | {"pattern": "^[a-z]+$"},
            day=STRING | {"format": "date"},
            id=STRING | {"format": "uuid"},
            size=STRING,
            where={"type": "array", "prefixItems": [INTEGER, INTEGER], "minItems": 2, "maxItems": 2},
            more={"type": "object", "additionalProperties": True},
        ),
        {"price": "7", "code": "a", "day": "2026-05-08", "id": str(UUID(int=1)), "size": "a", "where": [1, 2]},
        Odds(price=Decimal(7), code="a", day=date(2026, 5, 8), id=UUID(int=1), size="a", where=(1, 2)),
    ),
    (Free, close_object(), {"anything": 1}, Free.model_validate({"anything": 1})),
    (
        Seat,
        close_object(row=INTEGER, color=STRING | {"enum": ["red"]}),
        {"row": 1, "color": "red"},
        Seat(1),
    ),
    (PositiveInt, INTEGER | {"exclusiveMinimum": 0}, 3, 3),
    (Annotated[int, annotated_types.Ge(2)], INTEGER | {"minimum": 2}, 3, 3),
    (Annotated[int, Field(ge=2, description="Two.")] | None, {"anyOf": [INTEGER | {"minimum": 2, "description": "Two."}, NULL]}, 3, 3),
    (Annotated[str, StringConstraints(strip_whitespace=True)], STRING, " a ", "a"),
    (
        Point,
        close_object(leftX=INTEGER, note={"anyOf": [STRING, NULL]}) | {"description": "A point."},
        {"leftX": 1},
        Point(1),
    ),
    (
        Circle | Square,
        {
            "anyOf": [
                close_object(
                    type={"enum": ["circle"]},
                    radius={"type": "number", "exclusiveMinimum": 0, "description": "In meters."},
                ),
                close_object(type={"enum": ["square"]}, side={"type": "number"}),
            ]
        },
        {"type": "square", "side": 2},
        Square(2.0),
    ),
    (Leaf, {"$ref": "#/$defs/Leaf"}, {"next": {"next": None}}, Leaf(Leaf())),
    (Annotated[list[int], msgspec.Meta(min_length=1)], {"type": "array", "items": INTEGER, "minItems": 1}, [1], [1]),
    # Pydantic cannot validate an attrs class: ours, with the description of its field.
    (
        Annotated[Item, Field(description="One.")],
        close_object(name=STRING, price={"type": "number"}) | {"description": "One."},
        {"name": "a"},
        Item("a"),
    ),
]  # fmt: skip
"""Annotation, its strict schema, a JSON value that fits it, and the converted value."""

FAULTS: list[tuple[Any, Any, str, str]] = [
    (City, {"people": 1}, "$.x.name", "it is missing"),
    (City, {"name": "a", "people": 0}, "$.x.people", "greater than 0"),
    (City, [], "$.x", "should be an object"),
    (list[City], [{"name": "a"}, {"name": 3}], "$.x[1].name", "valid string"),
    (dict[str, City], {"a b": {"name": 3}}, "$.x['a b'].name", "valid string"),
    (Pet, {"kind": "cat"}, "$.x.age", "it is missing"),
    (Pet, {"kind": "cow"}, "$.x", "expected tags: 'cat', 'dog'"),
    (Zoo, {"title": "T", "pets": [FELIX | {"age": "old"}], "keeper": FELIX}, "$.x.pets[0].age", "valid integer"),
    (Branch, {"name": "a", "children": [{"name": 1}]}, "$.x.children[0].name", "valid string"),
    (Aliased, {}, "$.x.from", "it is missing"),
    (Even, {"number": 3}, "$.x.number", "value error, must be even"),
    (Seat, {"row": "first"}, "$.x.row", "valid integer"),
    (PositiveInt, -1, "$.x", "greater than 0"),
    (Annotated[int, Field(ge=2)], 1, "$.x", "greater than or equal to 2"),
    (Point, {"leftX": "1"}, "$.x.leftX", "expected `int`, got `str`"),
    (Point, {}, "$.x.leftX", "it is missing"),
    (Circle | Square, {"type": "circle", "radius": -1}, "$.x", "that fits none of them"),
    (Square, {"type": "square", "side": 1, "more": 2}, "$.x", "unknown field `more`"),
    (list[Leaf], [{"next": {"next": 3}}], "$.x[0].next.next", "got `int`"),
]
"""Annotation, a JSON value that does not fit it, the path of the bad part and a part of the reason."""
