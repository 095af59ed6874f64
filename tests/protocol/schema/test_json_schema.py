"""JSON Schema of Python types."""

import math
import sys
from random import Random
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ConfigurationError
from gradient_async._protocol.schema.convert import convert
from gradient_async._protocol.schema.json_schema import object_schema
from gradient_async.testing.model.schema_sampler import SchemaSampler
from tests.support.schema_types import (
    TYPE_TABLE,
    TYPES_WITH_VALUES,
    Item,
    Odd,
    Page,
    Pair,
    Place,
    Postponed,
    PostponedOptions,
    Tree,
    make_holder,
)


def property_schema(annotation: Any) -> dict[str, Any]:
    schema: dict[str, Any] = object_schema(make_holder(annotation))["properties"]["x"]
    return schema


@pytest.mark.parametrize(("annotation", "schema"), [row[:2] for row in TYPE_TABLE], ids=str)
def test_a_type_has_a_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert property_schema(annotation) == schema


@pytest.mark.parametrize(
    ("annotation", "advice"),
    [
        (None, "Holder.x has no annotation"),
        (complex, "Holder.x is complex, which has no JSON Schema; give str"),
        (list[bytes], "Holder.x is bytes"),
        (object, "Holder.x is object"),
        (Pair, "Holder.x is Pair"),
        (dict[int, str], r"Holder.x is dict\[int, str\]; names in JSON are text"),
        ([str], "which has no JSON Schema"),
        (Page, r"Page.items may be of any type; say which, as Page\[str\]"),
        (Odd, "JSON cannot express"),
        (Literal[b"a"], "JSON cannot express"),
        (list[dict[str, set[complex]]], "Holder.x is complex"),
    ],
    ids=str,
)
def test_a_type_without_a_schema_names_the_field_and_the_supported_types(annotation: Any, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        property_schema(annotation)


def test_a_typed_dict_with_postponed_annotations_requires_the_same_keys() -> None:
    assert property_schema(Postponed)["required"] == ["text"]
    assert property_schema(PostponedOptions)["required"] == ["depth"]


def test_an_undefined_name_is_an_error() -> None:
    lost = make_holder("Nowhere")
    with pytest.raises(ConfigurationError, match=r"'Nowhere' is not defined\. Define that name at the top"):
        object_schema(lost)


def test_a_class_inside_itself_is_a_definition() -> None:
    assert object_schema(Tree)["properties"]["children"] == {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
    assert object_schema(make_holder(Tree))["properties"]["x"] == {"$ref": "#/$defs/Tree"}
    assert object_schema(make_holder(Tree))["$defs"].keys() == {"Tree"}


ALIASES = """
type JSON = dict[str, JSON] | list[JSON] | str | None
type Nested[T] = T | list[Nested[T]]
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement type is new in Python 3.12")
def test_an_alias_inside_itself_is_a_definition() -> None:
    aliases: dict[str, Any] = {}
    exec(ALIASES, aliases)  # a syntax error before 3.12
    holder = make_holder(aliases["Nested"][int])
    assert object_schema(holder)["$defs"]["Nested"] == {
        "anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#/$defs/Nested"}}]
    }
    assert convert({"x": [1, [2, []]]}, holder, subject="It").x == [1, [2, []]]
    holder = make_holder(aliases["JSON"])
    assert convert({"x": {"a": ["b", None]}}, holder, subject="It").x == {"a": ["b", None]}
    assert object_schema(holder)["properties"]["x"] == {"$ref": "#/$defs/JSON"}


def test_docstrings_describe_a_class_and_its_fields() -> None:
    schema = object_schema(Tree)
    assert schema["description"] == "A tree."
    assert schema["properties"]["name"]["description"] == "What it is called, in one word."
    assert "description" not in object_schema(Place)  # a dataclass generates its own


def test_a_strict_schema_requires_everything_and_has_no_defaults() -> None:
    strict = object_schema(make_holder(Item | set[str]), is_strict=True)["properties"]["x"]
    item, names = strict["anyOf"]
    assert item["required"] == ["name", "price"]
    assert item["properties"]["price"] == {"type": "number"}
    assert names == {"type": "array", "items": {"type": "string"}}


@given(TYPES_WITH_VALUES, st.integers())
def test_a_value_sampled_from_a_schema_converts_to_its_type(pair: Any, seed: int) -> None:
    annotation, _ = pair
    holder = make_holder(annotation)
    for is_strict in (False, True):
        schema = object_schema(holder, is_strict=is_strict)
        value = SchemaSampler(root=schema, question="Is it 5?", random=Random(seed)).sample_value()
        assert isinstance(convert(value, holder, subject="It"), holder)


@given(st.floats())
def test_a_default_that_json_cannot_express_is_left_out(default: float) -> None:
    schema = object_schema(attrs.make_class("Holder", {"x": attrs.field(type=float, default=default)}))
    assert ("default" in schema["properties"]["x"]) == math.isfinite(default)
