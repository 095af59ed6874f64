"""JSON objects merged from their pieces."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.stream.json_pieces import append_text, build_object, is_repetition, merge_piece

Value = dict[str, Any]


def merge_pieces(*pieces: Value) -> Value:
    fields: Value = {}
    for piece in pieces:
        merge_piece(fields, piece)
    return build_object(fields)


@pytest.mark.parametrize(
    ("pieces", "merged"),
    [
        (["So ", "far", "."], "So far."),
        (["find", "find", "find"], "find"),
        (["a", "b", "ab"], "abab"),
        (["", "", "x"], "x"),
        (["a", None, "b"], "ab"),
        ([None, None], None),
        ([None, 1], 1),
        ([1, 2, None], 2),
        (["a", 1], 1),
        ([1, "a"], "a"),
        ([{"a": "x"}, {"a": "y", "b": 1}, {"b": None}], {"a": "xy", "b": 1}),
        ([{"a": {"b": "x"}}, {"a": {"b": "y"}}], {"a": {"b": "xy"}}),
        ([[1], [], [2, 3]], [1, 2, 3]),
        ([[1], {"a": 1}], {"a": 1}),
        ([{"a": 1}, [1]], [1]),
        ([[{"index": 0, "text": "a"}], [{"index": 0, "text": "b"}]], [{"index": 0, "text": "ab"}]),
        (
            [[{"index": 1, "text": "a", "type": "t"}], [{"index": 0}, {"index": 1, "text": "b", "type": "t"}]],
            [{"index": 1, "text": "ab", "type": "t"}, {"index": 0}],
        ),
        ([[{"index": 0, "text": "a"}, {"index": 0, "text": "b"}]], [{"index": 0, "text": "a"}, {"index": 0, "text": "b"}]),
        ([[{"text": "a"}], [{"text": "b"}]], [{"text": "a"}, {"text": "b"}]),
        (
            [[{"index": 0, "type": "s", "text": "a"}], [{"index": 0, "type": "e", "data": "x"}], [{"index": 0, "type": "s", "text": "b"}]],
            [{"index": 0, "type": "s", "text": "ab"}, {"index": 0, "type": "e", "data": "x"}],
        ),
        ([[{"index": 0, "id": "1", "n": "a"}], [{"index": 0, "id": "2", "n": "b"}]], [{"index": 0, "id": "1", "n": "a"}, {"index": 0, "id": "2", "n": "b"}]),
        (
            [[{"index": 0, "n": "a"}], [{"index": 0, "type": "s", "id": "1", "n": "b"}], [{"index": 0, "n": "c"}]],
            [{"index": 0, "n": "abc", "type": "s", "id": "1"}],
        ),
        ([[{"index": "0", "text": "a"}], [{"index": "0", "text": "b"}]], [{"index": "0", "text": "a"}, {"index": "0", "text": "b"}]),
    ],
)  # fmt: skip
def test_pieces_are_merged_by_what_they_are(pieces: list[Any], merged: Any) -> None:
    assert merge_pieces(*({"field": piece} for piece in pieces)) == {"field": merged}


def test_a_text_that_must_grow_grows_by_what_it_was_before() -> None:
    fields: Value = {"text": "ha", "number": 1}
    for part in ("ha", "ha"):
        append_text(fields, "text", part)
        append_text(fields, "number", part)
    assert build_object(fields) == {"text": "hahaha", "number": "haha"}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from(["", "a", "b", "\ud83d", "\ude00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["index", "a", "b"]), inner),
    max_leaves=6,
)
PIECES = st.lists(st.dictionaries(st.sampled_from("ab"), JSON), max_size=6)


@given(PIECES)
def test_neither_pieces_nor_built_objects_are_changed_by_later_pieces(pieces: list[Value]) -> None:
    fields: Value = {}
    seen: list[tuple[Any, Any]] = []
    for piece in pieces:
        seen.append((piece, copy.deepcopy(piece)))
        merge_piece(fields, piece)
        built = build_object(fields)
        seen.append((built, copy.deepcopy(built)))
    assert all(now == before for now, before in seen)


@given(PIECES)
def test_building_between_the_pieces_changes_nothing(pieces: list[Value]) -> None:
    fields: Value = {}
    for piece in pieces:
        merge_piece(fields, piece)
        build_object(fields)
    assert build_object(fields) == merge_pieces(*pieces)


@given(PIECES, st.dictionaries(st.sampled_from("ab"), JSON))
def test_a_repetition_changes_nothing(pieces: list[Value], piece: Value) -> None:
    fields: Value = {}
    for each in [*pieces, piece]:
        merge_piece(fields, each)
    if is_repetition(fields, piece):
        once = build_object(fields)
        merge_piece(fields, piece)
        merge_piece(fields, piece)
        assert build_object(fields) == once


@given(st.lists(st.text(max_size=3), min_size=1), st.booleans())
def test_a_text_in_parts_is_their_concatenation(parts: list[str], nested: bool) -> None:
    whole = "x" + "".join(parts)
    pieces: list[Value] = [{"a": {"b": part}} if nested else {"b": part} for part in ["x", *parts]]
    if "x" not in parts[:1]:
        assert merge_pieces(*pieces) == ({"a": {"b": whole}} if nested else {"b": whole})
