"""Conversion of JSON values to Python types."""

import json
from datetime import date
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ResponseDecodeError
from gradient_async._protocol.codec.json_text import encode_json
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.json_schema import object_schema
from tests.support.schema_types import (
    TYPE_TABLE,
    TYPES_WITH_VALUES,
    Item,
    Options,
    Postponed,
    PostponedOptions,
    Tree,
    Unit,
    make_holder,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def convert_field(value: Any, annotation: Any) -> Any:
    holder = make_holder(annotation)
    object_schema(holder)  # resolves forward references: a request sends the schema before its content is converted
    return convert({"x": value}, holder, subject="It").x


@pytest.mark.parametrize(("annotation", "value", "expected"), [(row[0], *row[2:]) for row in TYPE_TABLE], ids=str)
def test_a_value_that_fits_is_converted(annotation: Any, value: Any, expected: Any) -> None:
    converted = convert_field(value, annotation)
    assert converted == expected
    assert type(converted) is type(expected)


def test_a_class_may_contain_itself() -> None:
    assert convert_field({"name": "a", "children": [{"name": "b"}]}, Tree) == Tree("a", [Tree("b")])


def test_a_typed_dict_with_postponed_annotations_requires_the_same_keys() -> None:
    assert convert_field({"text": "a"}, Postponed) == {"text": "a"}
    with pytest.raises(ResponseDecodeError, match=r"\$\.x\.depth: it is missing"):
        convert_field({"title": "a"}, PostponedOptions)


@pytest.mark.parametrize(
    ("value", "annotation", "path", "reason"),
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
def test_a_value_that_does_not_fit_names_its_path_and_the_reason(
    value: Any, annotation: Any, path: str, reason: str
) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        convert_field(value, annotation)
    assert (caught.value.path, str(caught.value)[: len("It does not fit Holder")]) == (
        path,
        "It does not fit Holder",
    )
    assert reason in str(caught.value)


def test_the_error_of_a_callers_validator_is_the_reason() -> None:
    @attrs.define
    class Range:
        low: int = attrs.field(validator=attrs.validators.ge(0))

    with pytest.raises(ResponseDecodeError, match=r"'low' must be >= 0: -1"):
        convert({"low": -1}, Range, subject="It")


@given(st.data())
def test_a_converted_value_encodes_to_the_same_json(data: st.DataObject) -> None:
    annotation, values = data.draw(TYPES_WITH_VALUES)
    value = data.draw(values)
    assert json.loads(encode_json(convert_field(value, annotation))) == value


@given(TYPES_WITH_VALUES, JSON)
def test_any_value_converts_or_raises_with_a_path(pair: Any, value: Any) -> None:
    annotation, _ = pair
    path: str | None = "$.x"
    try:
        convert_field(value, annotation)
    except ResponseDecodeError as error:
        path = error.path
    assert path is not None
    assert path.startswith("$.x")
