"""JSON values are found in any text, whole or not at all, in linear time."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.schema.json_in_text import JsonInText, find_json


def values(text: str) -> list[Any]:
    return [json.loads(value) for value in find_json(text).values]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("no brackets", []),
        ('{"a": 1}', [{"a": 1}]),
        ('x {"a":1} y [2] {"b":{"c":[1,{}]}} {z}', [{"a": 1}, [2], {"b": {"c": [1, {}]}}]),
        ("{} [] { } [ ]", [{}, [], {}, []]),
        ("{{name}} and [[link]] and {x: 1} and [see]", []),
        ('{see {"a": 1}}', [{"a": 1}]),
        ('Use {"key: {"a": 1} ok', [{"a": 1}]),
        ('say "{" and {"a": "}]{["}', [{"a": "}]{["}]),
        (r'{"a": "\"}\\", "b": "\u00e9\ud83d\ude00"}', [{"a": '"}\\', "b": "é😀"}]),
        ('{"a": [1, -2.5e+3, 0.1E-2, true, false, null]}', [{"a": [1, -2500.0, 0.001, True, False, None]}]),
        ('[01] [1.] [.5] [+1] [1e] ["\\x"] ["a\nb"] [tru] {"a"} {"a":} {1: 2} [1 2] {,}', []),
        ('{"a": {"x": 1}, oops, "b": {"y": 2}} {"z": 3}', [{"z": 3}]),
        ('[{"a": 1}, oops {"b": 2}] {"z": 3}', [{"z": 3}]),
        ('{"a": "He said "hi" to {x}", "b": {"y": 2}}\n{"z": 3}', [{"z": 3}]),
    ],
)
def test_complete_values_are_found_and_no_fragments_of_broken_ones(text: str, expected: list[Any]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "expected", "after_thoughts"),
    [
        ("<think>{}</think>[1]", [[1]], None),
        ("{}</think>[1]", [[1]], None),
        ("[0]<think>{}</think>[1]<THINK>{}</THINK>[2]", [[0], [1], [2]], None),
        ("<think>{}<think>{}</think>[1]</think>", [[1]], None),
        ("<think>{}</think>[1]</think>[2]", [[1], [2]], None),
        ("<thoughts>{}</thoughts><reasoning>{}</reasoning>[THINK]{}[/THINK]◁think▷{}◁/think▷[1]", [[1]], None),
        ('<think>{"a": and {</think>[1]', [[1]], None),
        ("[1]<think>{} [2]", [[1]], "[2]"),
        ("<think>{}\n```json\n[2]\n```\n", [], "[2]"),
        ("<think>[2] hm", [], None),
        ("<think>[2], [", [], None),
        ('{"a": "<think>"} x', [{"a": "<think>"}], None),
        ('x {"a": "</think>"} x', [{"a": "</think>"}], None),
    ],
)
def test_thoughts_hide_the_values_within_them(text: str, expected: list[Any], after_thoughts: str | None) -> None:
    assert values(text) == expected
    assert find_json(text).after_thoughts == after_thoughts


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1 "b"}', "expecting ',' delimiter at line 1, column 9"),
        ('So:\n{"a": 1\n "b": 2}', "expecting ',' delimiter at line 3, column 2"),
        ('{"a": "x\ny"}', "invalid control character at line 1, column 9"),
        ('{"a": "\\q"}', "invalid \\escape at line 1, column 8"),
        ('{"a": x} {"longer than the first one": y}', "expecting value at line 1, column 40"),
        ("{name}", None),
        ("Seven.", None),
    ],
)
def test_the_fault_says_where_the_longest_broken_value_fails(text: str, fault: str | None) -> None:
    assert find_json(text).fault == fault


JSON_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: {"value": value})
PROSE = st.text(st.characters(exclude_characters='{}[]"<◁', exclude_categories=["Cs"]))
"""Sentences without brackets, quotation marks and tags."""


@given(st.lists(st.tuples(PROSE, JSON_OBJECTS, st.sampled_from([None, 2]), st.booleans())), PROSE)
def test_every_value_between_sentences_is_found(parts: list[tuple[str, Any, int | None, bool]], end: str) -> None:
    text = "".join(
        prose + json.dumps(value, indent=indent, ensure_ascii=is_ascii) for prose, value, indent, is_ascii in parts
    )
    found = find_json(text + end)
    assert [json.loads(value) for value in found.values] == [value for _, value, _, _ in parts]
    assert found == JsonInText(found.values, None, is_cut=False, fault=None)


@given(JSON_OBJECTS, st.data())
def test_a_value_that_is_cut_anywhere_has_no_values(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    found = find_json(f"Here it is: {cut}")
    assert (found.values, found.is_cut) == ([], True)


PIECES = ['{"', '":', "{", "}", "[", "]", '"', "\\", ",", "1", " ", "\n", "a", "<think>", "</think>"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_whatever_is_found_is_json(text: str) -> None:
    assert all(isinstance(value, dict | list) for value in values(text))


def count_calls(text: str) -> int:
    """Return the number of functions that `find_json` calls, built-in ones included."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        find_json(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "piece",
    ["{", '{"', '{"a":', "[", "[1,", '["', '{"\\"', "{}", "[[]", '{"a":x', '{"a":x}', "{ ", "<think>", "</think>",
     "<think>{}</think>", '"\\', "-", "{\n", "[1e", '{"a":"', "\\u", "[THINK]"],
)  # fmt: skip
def test_the_cost_grows_with_the_length_only(piece: str) -> None:
    text = piece * 2000
    assert count_calls(text * 2) <= 2 * count_calls(text) + 100
