"""Values sampled from JSON Schemas."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from gradient_async.testing.model.schema_sampler import SchemaSampler

TREE = {
    "type": "object",
    "required": ["child"],
    "properties": {"child": {"$ref": "#/$defs/tree"}},
    "$defs": {"tree": {"type": "object", "required": ["child"], "properties": {"child": {"$ref": "#/$defs/tree"}}}},
}


def sample_value(schema: dict[str, Any], question: str = "Is it warm in New York on day 12?") -> Any:
    return SchemaSampler(root=schema, question=question, random=Random(0)).sample_value()


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 5}, 5),
        ({"default": "x", "type": "string"}, "x"),
        ({"enum": ["cold", "warm"]}, "warm"),
        ({"type": "integer"}, 12),
        ({"type": "integer", "maximum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 20}, 21),
        ({"type": "number"}, 12.0),
        ({"type": "string"}, "New York"),
        ({"type": "string", "maxLength": 3}, "New"),
        ({"type": "string", "format": "date"}, "2026-05-08"),
        ({"type": ["null", "integer"]}, 12),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [12, 12]),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2}, [12, "New York"]),
        (
            {"prefixItems": [{"type": "integer"}], "items": {"type": "null"}, "type": "array", "minItems": 3},
            [12, None, None],
        ),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 12),
        ({"allOf": [{"type": "integer"}, {"maximum": 3}]}, 3),
        ({"properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}, {"n": 12}),
        ({"properties": {"anything": True}}, {"anything": "New York"}),
        ({"properties": {"query": {"type": "string"}}}, {"query": "Is it warm in New York on day 12?"}),
    ],
    ids=str,
)
def test_a_value_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert sample_value(schema) == value


def test_a_recursive_schema_that_may_end_in_null_ends_with_whole_objects() -> None:
    node = {
        "type": "object",
        "required": ["name", "parent"],
        "properties": {"name": {"type": "string"}, "parent": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    }
    value = sample_value(node)
    while value["parent"] is not None:
        value = value["parent"]
    assert value["name"] == "New York"


def test_a_recursive_schema_gives_a_finite_value() -> None:
    assert sample_value(TREE)["child"]["child"]["child"]


def test_a_question_without_a_name_gives_the_name_of_the_field() -> None:
    assert sample_value({"properties": {"city": {"type": "string"}}}, question="hello") == {"city": "city"}
