"""Types of Pydantic and msgspec: their schemas and the conversion of values to them."""

from typing import Annotated, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from gradient_async import ConfigurationError, ResponseDecodeError
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.dialect import CHAT_DIALECT
from gradient_async._protocol.schema.function_tool import function_tool
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async._protocol.schema.structured_output import request_class
from tests.support.library_types import (
    BRANCH,
    CITY,
    FAULTS,
    STRICT_TABLE,
    Branch,
    City,
    Even,
    Leaf,
    Point,
    Zoo,
)
from tests.support.schema_types import Item, make_holder

NAMES = ["name", "people", "kind", "age", "title", "pets", "keeper", "children", "from", "leftX", "type", "next"]


@pytest.mark.parametrize(("annotation", "schema"), [row[:2] for row in STRICT_TABLE], ids=str)
def test_a_type_of_a_library_has_a_strict_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert object_schema(make_holder(annotation), is_strict=True)["properties"]["x"] == schema


@pytest.mark.parametrize(("annotation", "value", "expected"), [(row[0], *row[2:]) for row in STRICT_TABLE], ids=str)
def test_a_value_that_fits_is_converted_by_the_library(annotation: Any, value: Any, expected: Any) -> None:
    converted: Any = convert({"x": value}, make_holder(annotation), subject="It").x
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(("annotation", "value", "path", "reason"), FAULTS, ids=str)
def test_a_value_that_does_not_fit_names_the_path_of_the_bad_part(
    annotation: Any, value: Any, path: str, reason: str
) -> None:
    with pytest.raises(ResponseDecodeError, match="It does not fit Holder") as caught:
        convert({"x": value}, make_holder(annotation), subject="It")
    assert caught.value.path == path
    assert reason in str(caught.value)
    assert caught.value.__context__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=4),
    max_leaves=6,
)


@given(st.sampled_from([row[0] for row in STRICT_TABLE]), JSON)
def test_any_value_converts_or_raises_with_a_path(annotation: Any, value: Any) -> None:
    path, text = "$.x", ""
    try:
        convert({"x": value}, make_holder(annotation), subject="It")
    except ResponseDecodeError as error:
        path, text = error.path, str(error)
    assert path.startswith("$.x")
    assert len(text) < 1000


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (dict[str, int], {"k" * 9_999: "a"}),
        (dict[str, City], {"k" * 9_999: {}}),
        (Item, {"name": "a", "k" * 9_999: 1}),
        (dict[str, Point], {"k" * 9_999: {}}),
    ],
    ids=str,
)
def test_a_name_that_the_model_wrote_is_bounded_in_path_and_reason(annotation: Any, value: Any) -> None:
    with pytest.raises(ResponseDecodeError, match="does not fit Holder") as caught:
        convert({"x": value}, make_holder(annotation), subject="It")
    assert len(str(caught.value)) < 500
    assert len(caught.value.path) < 250


def test_the_reason_of_a_library_is_bounded() -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        convert({"title": "T", "pets": [{"kind": "secret" * 9_999}], "keeper": 1}, Zoo, subject="It")
    assert len(str(caught.value)) < 400
    assert caught.value.path == "$.pets[0]"


@pytest.mark.parametrize("cls", [City, Point])
def test_a_class_of_a_library_is_a_response_format(cls: type) -> None:
    named = request_class(CHAT_DIALECT, {}, cls).params["response_format"]["json_schema"]
    assert (named["name"], named["strict"]) == (cls.__name__, True)
    assert named["schema"] == object_schema(cls, is_strict=True)


@pytest.mark.parametrize("cls", [Branch, Leaf])
def test_a_recursive_class_of_a_library_is_an_object_with_definitions(cls: type) -> None:
    schema = object_schema(cls, is_strict=True)
    assert schema["type"] == "object"
    assert list(schema["$defs"]) == [cls.__name__]


def test_recursive_classes_with_the_same_name_have_definitions_of_their_own() -> None:
    def make_branch() -> type:
        class Branch(BaseModel):
            size: int
            children: list["Branch"] = []

        return Branch

    holder = attrs.make_class(
        "Holder", {"a": attrs.field(type=Branch), "b": attrs.field(type=make_branch()), "c": attrs.field(type=Branch)}
    )
    schema = object_schema(holder, is_strict=True)
    assert [schema["properties"][name]["$ref"] for name in "abc"] == [
        "#/$defs/Branch", "#/$defs/Branch2", "#/$defs/Branch"
    ]  # fmt: skip
    assert schema["$defs"]["Branch"] == BRANCH
    assert "size" in schema["$defs"]["Branch2"]["properties"]


def test_the_parameters_of_a_tool_keep_defaults_and_constraints() -> None:
    def visit(city: City, days: Annotated[int, Field(ge=1, description="How long.")] = 2) -> None: ...

    parameters = function_tool(visit).definition["function"]["parameters"]
    people = {"type": "integer", "exclusiveMinimum": 0, "default": 1}
    name = CITY["properties"]["name"]
    assert parameters["properties"]["city"] == {
        "type": "object",
        "description": "A city.",
        "properties": {"name": name, "people": people},
        "required": ["name"],
    }
    assert parameters["properties"]["days"] == {
        "type": "integer",
        "minimum": 1,
        "description": "How long.",
        "default": 2,
    }
    assert function_tool(visit).parse_arguments('{"city": {"name": "Rome"}}') == {"city": City(name="Rome")}


def test_an_argument_that_does_not_fit_a_model_names_its_path() -> None:
    def visit(city: City) -> None: ...

    with pytest.raises(ResponseDecodeError, match=r"does not fit visit: \$\.city\.name: it is missing"):
        function_tool(visit).parse_arguments('{"city": {}}')


def test_a_description_in_place_of_a_default_is_refused() -> None:
    def visit(city: str = Field(description="Its name.")) -> None: ...

    with pytest.raises(ConfigurationError, match=r"visit\.city has a description as its default; move it"):
        function_tool(visit)


class Lost(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    thing: memoryview


class Unfinished(BaseModel):
    thing: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - the mistake


@pytest.mark.parametrize("cls", [Lost, Unfinished])
def test_a_class_without_a_schema_is_refused_with_the_reason_of_its_library(cls: type) -> None:
    with pytest.raises(ConfigurationError, match=rf"Holder\.x is {cls.__name__}; Pydantic makes no JSON Schema"):
        object_schema(make_holder(cls))


def test_the_error_of_a_validator_is_the_reason() -> None:
    with pytest.raises(ResponseDecodeError, match=r"\$\.number: value error, must be even"):
        convert({"number": 1}, Even, subject="It")
