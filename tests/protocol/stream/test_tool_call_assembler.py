"""The deltas of tool calls, assembled and routed."""

import itertools
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatAccumulator
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.tool_call_assembler import ToolCallDeltaRouter
from gradient_async.models import ToolCall, ToolCallDelta

Deltas = list[list[dict[str, Any]]]
Calls = list[tuple[str, str, str]]


def assemble_calls(*deltas: list[dict[str, Any]]) -> Calls:
    """Return id, name and arguments of the calls that chunks with these *deltas* add up to."""
    accumulator = ChatAccumulator()
    for delta in deltas:
        accumulator.add({"choices": [{"index": 0, "delta": {"tool_calls": delta}}]})
    return [(call.id, call.function.name, call.function.arguments) for call in accumulator.snapshot().tool_calls]


def route_calls(*deltas: list[dict[str, Any]]) -> Calls:
    """Return the same, put together from the deltas that the router passes on."""
    router = ToolCallDeltaRouter()
    calls: dict[int, list[str]] = {}
    for chunk in deltas:
        for delta in router.route_deltas([structure(value, ToolCallDelta) for value in chunk]):
            call = calls.setdefault(delta.position, ["", "", ""])
            call[0] = call[0] or delta.id or ""
            call[1] += delta.name or ""
            call[2] += delta.arguments or ""
    for position, arguments in router.take_held().items():
        calls[position][2] += arguments
    assert router.list_arguments() == [(position, call[2]) for position, call in calls.items()]
    return [(id_, name, arguments) for id_, name, arguments in calls.values()]


def call_delta(arguments: str | None = None, *, name: str | None = None, **rest: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {**rest, "function": {key: value for key, value in function.items() if value is not None}}


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        # the documented form
        ([[call_delta("", name="f", index=0, id="a")], [call_delta("{", index=0)], [call_delta("}", index=0)]], [("a", "f", "{}")]),
        # starting at 1
        ([[call_delta("", name="f", index=1, id="a")], [call_delta("{}", index=1)]], [("a", "f", "{}")]),
        # a huge index costs nothing
        ([[call_delta("{}", name="f", index=10**9, id="a")]], [("a", "f", "{}")]),
        # two calls interleaved
        (
            [[call_delta("", name="f", index=0, id="a")], [call_delta("", name="g", index=1, id="b")],
             [call_delta("1", index=1)], [call_delta("0", index=0)]],
            [("a", "f", "0"), ("b", "g", "1")],
        ),
        # two calls under one index
        (
            [[call_delta("{}", name="f", index=0, id="a")], [call_delta("{", name="g", index=0, id="b")], [call_delta("}", index=0)]],
            [("a", "f", "{}"), ("b", "g", "{}")],
        ),
        # id and name repeated in every piece
        ([[call_delta("{", name="f", index=0, id="a")], [call_delta("}", name="f", index=0, id="a")]], [("a", "f", "{}")]),
        # no index: by id, and without one the latest call goes on
        (
            [[call_delta("", name="f", id="a")], [call_delta("{")], [call_delta("}")], [call_delta("", name="g", id="b")], [call_delta("[]")]],
            [("a", "f", "{}"), ("b", "g", "[]")],
        ),
        # neither index nor id: by position, and a new whole call begins a new one
        ([[call_delta("{}", name="f")], [call_delta("{}", name="f")]], [("", "f", "{}"), ("", "f", "{}")]),
        ([[call_delta("{}", name="f")], [call_delta("")], [call_delta("{}", name="f")]], [("", "f", "{}"), ("", "f", "{}")]),
        # a placeholder, then the arguments
        ([[call_delta("{}", name="f", index=0, id="a")], [call_delta('{"q":', index=0)], [call_delta("1}", index=0)]], [("a", "f", '{"q":1}')]),
        ([[call_delta("{}", name="f", index=0, id="a")], [call_delta(" ", index=0)]], [("a", "f", "{} ")]),
        ([[call_delta("{", name="f"), call_delta("[", name="g")], [call_delta("}"), call_delta("]")]], [("", "f", "{}"), ("", "g", "[]")]),
        # a name in two pieces
        ([[call_delta(name="get_", index=0, id="a")], [call_delta("{}", name="weather", index=0)]], [("a", "get_weather", "{}")]),
        # a name that grows: each piece repeats what came before
        ([[call_delta(name="get_", index=0, id="a")], [call_delta("{}", name="get_weather", index=0)]], [("a", "get_weather", "{}")]),
        # an index that is wrong for all but the first piece: the id, or nothing at all, says where the rest belongs
        (
            [[call_delta("{}", name="f", index=0, id="a")], [call_delta("", name="g", index=0, id="b")],
             [call_delta("{", index=1, id="b")], [call_delta("}", index=1, id="b")]],
            [("a", "f", "{}"), ("b", "g", "{}")],
        ),
        ([[call_delta("{", name="f", index=0, id="a")], [call_delta("1", index=1)], [call_delta("}", index=2)]], [("a", "f", "{1}")]),
        # empty strings stand for nothing
        ([[call_delta("{}", name="f", index=0, id="a")], [call_delta("", name="", index=0, id="")]], [("a", "f", "{}")]),
        # an index that is used again, without ids: another name, or the same after whole arguments
        ([[call_delta('{"q":1}', name="f", index=0)], [call_delta('{"z":2}', name="g", index=0)]], [("", "f", '{"q":1}'), ("", "g", '{"z":2}')]),
        ([[call_delta('{"q":1}', name="f", index=0, id="")], [call_delta('{"q":2}', name="f", index=0, id="")]], [("", "f", '{"q":1}'), ("", "f", '{"q":2}')]),
        (
            [[call_delta('{"q":1}', name="f", index=0)], [call_delta("", name="g", index=0)], [call_delta('{"z"', index=0)], [call_delta(":2}", index=0)]],
            [("", "f", '{"q":1}'), ("", "g", '{"z":2}')],
        ),
        (
            [[call_delta('{"q":1}', name="f", index=0)], [call_delta("", name="f", index=0)], [call_delta('{"q"', index=0)], [call_delta(":2}", index=0)]],
            [("", "f", '{"q":1}'), ("", "f", '{"q":2}')],
        ),
        ([[call_delta('{"q":1}', name="f", index=0), call_delta('{"q":2}', name="f", index=0)]], [("", "f", '{"q":1}'), ("", "f", '{"q":2}')]),
        ([[call_delta("", name="f", index=0), call_delta("", name="g", index=0)]], [("", "f", ""), ("", "g", "")]),
        ([[call_delta("", name="f", index=0)], [call_delta("", name="g", index=0)]], [("", "f", ""), ("", "g", "")]),
        # one id for every call
        ([[call_delta('{"q":1}', name="f", index=0, id="a")], [call_delta('{"z":2}', name="g", index=0, id="a")]], [("a", "f", '{"q":1}'), ("a", "g", '{"z":2}')]),
        ([[call_delta('{"q":1}', name="f", index=0, id="a")], [call_delta('{"q":2}', name="f", index=0, id="a")]], [("a", "f", '{"q":1}'), ("a", "f", '{"q":2}')]),
        ([[call_delta('{"q":1}', name="f", id="a")], [call_delta('{"z":2}', name="g", id="a")]], [("a", "f", '{"q":1}'), ("a", "g", '{"z":2}')]),
        # the name repeated in every piece, the last of which is empty
        ([[call_delta('{"q":', name="f", index=0)], [call_delta("1}", name="f", index=0)], [call_delta("", name="f", index=0)]], [("", "f", '{"q":1}')]),
        ([[call_delta('{"q":1}', name="f", index=0, id="a")], [call_delta("", name="f", index=0, id="a")]], [("a", "f", '{"q":1}')]),
        # another id for each piece of one call
        ([[call_delta("", name="f", index=0, id="a")], [call_delta("{", index=0, id="b")], [call_delta("}", index=0, id="c")]], [("a", "f", "{}")]),
        ([[call_delta("", name="f", id="a")], [call_delta('{"q":', id="b")], [call_delta("1}", id="c")]], [("a", "f", '{"q":1}')]),
        ([[call_delta("{", name="f", index=0, id="a")], [call_delta("{}", name="f", index=0, id="b")]], [("a", "f", "{"), ("b", "f", "{}")]),
        # two calls under one index, told apart by their ids
        (
            [[call_delta("", name="f", index=0, id="a")], [call_delta("", name="g", index=0, id="b")],
             [call_delta('{"q":1}', index=0, id="a")], [call_delta('{"z":2}', index=0, id="b")]],
            [("a", "f", '{"q":1}'), ("b", "g", '{"z":2}')],
        ),
        # arguments as an object
        ([[call_delta(name="f", index=0, id="a") | {"function": {"name": "f", "arguments": {"q": "tea"}}}]], [("a", "f", '{"q":"tea"}')]),
        # deltas of nothing
        ([[{"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": ""}}], [call_delta("{}", name="f", index=0, id="a")]], [("a", "f", "{}")]),
        ([[call_delta("{}", name="f", index=0, id="a")], [{"index": 1, "id": "", "type": "", "function": {"name": "", "arguments": ""}}]], [("a", "f", "{}")]),
        # a call without a function
        ([[{"index": 0, "id": "a"}], [call_delta("{}", name="f", index=0)]], [("a", "f", "{}")]),
    ],
)  # fmt: skip
def test_deltas_find_their_tool_call(deltas: Deltas, expected: Calls) -> None:
    assert assemble_calls(*deltas) == expected
    assert route_calls(*deltas) == expected


@pytest.mark.parametrize("rest", [{"id": "a", "name": "f"}, {"id": ""}, {}])
def test_empty_arguments_before_the_real_ones_are_replaced(rest: dict[str, str]) -> None:
    first = [call_delta("{}", name="f", index=0, id="a")]
    pieces = [[call_delta(piece, index=0, **rest)] for piece in ("", '{"q":', "1}")]
    assert assemble_calls(first) == [("a", "f", "{}")]
    assert assemble_calls(first, *pieces) == [("a", "f", '{"q":1}')]
    second = [call_delta("{}", name="f", index=0, id="b")]
    assert assemble_calls(first, second) == [("a", "f", "{}"), ("b", "f", "{}")]


@pytest.mark.parametrize("names", ["abc", "cba", "bca"])
def test_calls_stand_in_the_order_of_their_index(names: str) -> None:
    deltas = [[call_delta("{}", name=name, index=5 + "abc".index(name), id=name)] for name in names]
    assert [name for _, name, _ in assemble_calls(*deltas)] == ["a", "b", "c"]
    deltas[1][0].pop("index")
    assert [name for _, name, _ in assemble_calls(*deltas)] == list(names)


def test_unknown_fields_of_a_call_are_assembled_from_their_pieces() -> None:
    accumulator = ChatAccumulator()
    for delta in (
        {
            "index": 0,
            "id": "a",
            "function": {"name": "f", "arguments": "{", "thought": "h"},
            "extra": {"sign": "x", "n": 1},
        },
        {"index": 0, "function": {"arguments": "}", "thought": "m"}, "extra": {"sign": "y"}},
    ):
        accumulator.add({"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]})
    (call,) = accumulator.snapshot().tool_calls
    function = {"name": "f", "arguments": "{}", "thought": "hm"}
    assert call.to_dict() == {"id": "a", "type": "function", "function": function, "extra": {"sign": "xy", "n": 1}}


def test_arguments_are_parsed_only_when_they_may_be_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(json, "loads", parsed.append)
    texts = ['{"x":', *["1"] * 50, "}"]
    assert assemble_calls(*([call_delta(text, name="f")] for text in texts)) == [("", "f", "".join(texts))]
    assert parsed == []
    assert assemble_calls([call_delta("{}", name="f")], [call_delta("{}", name="f")]) == [("", "f", "{}")] * 2
    assert parsed == ["{}"]


# Any stream of calls that a reader can tell apart, however the server numbers and names them.

Pieces = list[dict[str, Any]]
ARGUMENTS = st.dictionaries(
    st.sampled_from("qz"), st.integers(0, 9) | st.text(max_size=3) | st.just({}), min_size=1
).map(json.dumps)


@st.composite
def wire_calls(draw: st.DrawFn) -> tuple[list[Pieces], Calls]:
    """Return the deltas of each call, and the calls: they share an index, have one each or none, and ids or none."""
    indexes, ids = draw(st.sampled_from(["own", "shared", "none"])), draw(st.sampled_from(["own", "empty", "none"]))
    repeats_name = draw(st.booleans()) and (indexes == "own" or ids != "own")
    calls: Calls = []
    deltas: list[Pieces] = []
    order = draw(st.permutations(range(draw(st.integers(1, 4)))))
    for number in order:
        name, arguments = draw(st.sampled_from("fg")), draw(ARGUMENTS)
        head: dict[str, Any] = {} if indexes == "none" else {"index": 3 + number if indexes == "own" else 0}
        id_ = {"own": {"id": f"id{number}"}, "empty": {"id": ""}, "none": {}}[ids]
        cuts = sorted(draw(st.lists(st.integers(1, len(arguments) - 1), max_size=3)))
        edges = [0, *([0] if draw(st.booleans()) else []), *cuts, len(arguments)]
        pieces = [arguments[begin:end] for begin, end in itertools.pairwise(edges)]
        later = {"name": name if repeats_name else draw(st.sampled_from([None, ""]))}
        deltas.append([call_delta(pieces[0], name=name, **head, **id_)])
        deltas[-1] += [call_delta(piece, **later, **head) for piece in pieces[1:]]
        calls.append((f"id{number}" if ids == "own" else "", name, arguments))
    in_order = [calls[order.index(number)] for number in range(len(calls))] if indexes == "own" else calls
    return deltas, in_order


@given(wire_calls(), st.randoms(use_true_random=False))
def test_calls_are_told_apart_however_they_are_numbered(wire: tuple[list[Pieces], Calls], random: Random) -> None:
    deltas, calls = wire
    flat: Pieces = []
    if "index" in deltas[0][0] and len({pieces[0]["index"] for pieces in deltas}) == len(deltas):
        queues = [list(pieces) for pieces in deltas]
        while queues := [queue for queue in queues if queue]:
            flat.append(random.choice(queues).pop(0))
    else:
        flat = [delta for pieces in deltas for delta in pieces]
    chunks = [[delta] for delta in flat]
    assert assemble_calls(*chunks) == calls
    assert sorted(route_calls(*chunks)) == sorted(calls)


@given(wire_calls())
def test_each_call_is_taken_once_and_complete(wire: tuple[list[Pieces], Calls]) -> None:
    deltas, calls = wire
    accumulator, taken, found = ChatAccumulator(), set[int](), list[ToolCall]()
    for number, pieces in enumerate(deltas):
        for delta in pieces:
            accumulator.add({"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]})
            found += accumulator.take_completed_calls(taken, is_over=False)
        assert len(found) == number
    accumulator.add({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    found += accumulator.take_completed_calls(taken, is_over=False)
    assert sorted((call.id, call.function.name, call.function.arguments) for call in found) == sorted(calls)
    assert accumulator.take_completed_calls(taken, is_over=True) == []


@pytest.mark.parametrize("reason", ["length", "content_filter", "error"])
def test_a_call_that_was_cut_off_is_not_complete(reason: str) -> None:
    accumulator, taken = ChatAccumulator(), set[int]()
    calls = [call_delta("{}", name="f", index=0, id="a"), call_delta('{"q":', name="g", index=1, id="b")]
    accumulator.add({"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": reason}]})
    assert [call.id for call in accumulator.take_completed_calls(taken, is_over=True)] == ["a"]
    assert [call.id for call in accumulator.snapshot().tool_calls] == ["a", "b"]
