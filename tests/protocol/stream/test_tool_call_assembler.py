"""The deltas of tool calls, assembled and routed."""

import json
from typing import Any

import pytest

from gradient_async import ChatAccumulator
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.tool_call_assembler import ToolCallDeltaRouter
from gradient_async.models import ToolCallDelta

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
        ([[call_delta("{", name="f"), call_delta("[", name="g")], [call_delta("}"), call_delta("]")]], [("", "f", "{}"), ("", "g", "[]")]),
        # a name in two pieces
        ([[call_delta(name="get_", index=0, id="a")], [call_delta("{}", name="weather", index=0)]], [("a", "get_weather", "{}")]),
        # empty strings stand for nothing
        ([[call_delta("{}", name="f", index=0, id="a")], [call_delta("", name="", index=0, id="")]], [("a", "f", "{}")]),
        # a call without a function
        ([[{"index": 0, "id": "a"}], [call_delta("{}", name="f", index=0)]], [("a", "f", "{}")]),
    ],
)  # fmt: skip
def test_deltas_find_their_tool_call(deltas: Deltas, expected: Calls) -> None:
    assert assemble_calls(*deltas) == expected
    assert route_calls(*deltas) == expected


def test_arguments_are_parsed_only_when_they_may_be_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(json, "loads", parsed.append)
    texts = ['{"x":', *["1"] * 50, "}"]
    assert assemble_calls(*([call_delta(text, name="f")] for text in texts)) == [("", "f", "".join(texts))]
    assert parsed == []
    assert assemble_calls([call_delta("{}", name="f")], [call_delta("{}", name="f")]) == [("", "f", "{}")] * 2
    assert parsed == ["{}"]
