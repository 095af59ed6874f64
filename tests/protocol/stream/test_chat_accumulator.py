"""Chunks put together."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatAccumulator, ChatCompletion, ResponseDecodeError


def assembled(*choices: dict[str, Any], **top: Any) -> ChatCompletion:
    acc = ChatAccumulator()
    for choice in choices:
        acc.add({"id": "c", "choices": [{"index": 0, **choice}], **top})
    return acc.snapshot()


def calls(*deltas: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    completion = assembled(*({"delta": {"tool_calls": delta}} for delta in deltas))
    return [(call.id, call.function.name, call.function.arguments) for call in completion.tool_calls]


def part(arguments: str | None = None, *, name: str | None = None, **rest: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {**rest, "function": {key: value for key, value in function.items() if value is not None}}


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        # the documented form
        ([[part("", name="f", index=0, id="a")], [part("{", index=0)], [part("}", index=0)]], [("a", "f", "{}")]),
        # starting at 1
        ([[part("", name="f", index=1, id="a")], [part("{}", index=1)]], [("a", "f", "{}")]),
        # a huge index costs nothing
        ([[part("{}", name="f", index=10**9, id="a")]], [("a", "f", "{}")]),
        # two calls interleaved
        (
            [[part("", name="f", index=0, id="a")], [part("", name="g", index=1, id="b")],
             [part("1", index=1)], [part("0", index=0)]],
            [("a", "f", "0"), ("b", "g", "1")],
        ),
        # two calls under one index
        (
            [[part("{}", name="f", index=0, id="a")], [part("{", name="g", index=0, id="b")], [part("}", index=0)]],
            [("a", "f", "{}"), ("b", "g", "{}")],
        ),
        # id and name repeated in every piece
        ([[part("{", name="f", index=0, id="a")], [part("}", name="f", index=0, id="a")]], [("a", "f", "{}")]),
        # no index: by id, and without one the latest call goes on
        (
            [[part("", name="f", id="a")], [part("{")], [part("}")], [part("", name="g", id="b")], [part("[]")]],
            [("a", "f", "{}"), ("b", "g", "[]")],
        ),
        # neither index nor id: by position, and a new whole call begins a new one
        ([[part("{}", name="f")], [part("{}", name="f")]], [("", "f", "{}"), ("", "f", "{}")]),
        ([[part("{}", name="f")], [part("")], [part("{}", name="f")]], [("", "f", "{}"), ("", "f", "{}")]),
        ([[part("{", name="f"), part("[", name="g")], [part("}"), part("]")]], [("", "f", "{}"), ("", "g", "[]")]),
        # a name in two pieces
        ([[part(name="get_", index=0, id="a")], [part("{}", name="weather", index=0)]], [("a", "get_weather", "{}")]),
        # empty strings stand for nothing
        ([[part("{}", name="f", index=0, id="a")], [part("", name="", index=0, id="")]], [("a", "f", "{}")]),
        # a call without a function
        ([[{"index": 0, "id": "a"}], [part("{}", name="f", index=0)]], [("a", "f", "{}")]),
    ],
)  # fmt: skip
def test_tool_calls_are_assembled(deltas: list[list[dict[str, Any]]], expected: list[tuple[str, str, str]]) -> None:
    assert calls(*deltas) == expected


def test_arguments_are_not_read_again_with_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or {})
    texts = ['{"x":', *["1"] * 50, "}"]
    assert calls(*([part(text, name="f")] for text in texts)) == [("", "f", "".join(texts))]
    assert parsed == []
    assert calls([part("{}", name="f")], [part("{}", name="f")]) == [("", "f", "{}")] * 2
    assert parsed == ["{}"]


def test_choices_may_arrive_interleaved_and_out_of_order() -> None:
    acc = ChatAccumulator()
    for index, text in [(1, "B"), (0, "A"), (1, "b"), (0, "a")]:
        acc.add({"choices": [{"index": index, "delta": {"content": text}}]})
    assert [(c.index, c.message.content) for c in acc.snapshot().choices] == [(0, "Aa"), (1, "Bb")]


def test_null_delta_and_null_choices_add_nothing() -> None:
    acc = ChatAccumulator()
    acc.add({"choices": [{"index": 0, "delta": None}]})
    acc.add({"choices": None})
    assert acc.snapshot().text == ""
    assert acc.snapshot().message.content is None


def test_a_repeated_role_stays_one_role() -> None:
    assert assembled({"delta": {"role": "assistant"}}, {"delta": {"role": "assistant"}}).message.role == "assistant"


def test_reasoning_refusal_and_content_are_kept_apart() -> None:
    message = assembled(
        {"delta": {"reasoning_content": "hm"}}, {"delta": {"reasoning_content": "m"}}, {"delta": {"reasoning": "r"}},
        {"delta": {"refusal": "no"}}, {"delta": {"content": "yes"}},
    ).message  # fmt: skip
    got = message.reasoning_content, message.reasoning, message.refusal, message.content
    assert got == ("hmm", "r", "no", "yes")


def test_the_last_usage_that_is_not_null_wins() -> None:
    acc = ChatAccumulator()
    for usage in ({"total_tokens": 1}, {"total_tokens": 2}, None):
        acc.add({"choices": [], "usage": usage})
    assert acc.snapshot().usage is not None
    assert acc.snapshot().usage.total_tokens == 2


def test_logprobs_are_extended_and_a_snapshot_is_not_changed_later() -> None:
    token = {"token": "a", "logprob": -1.0, "top_logprobs": []}
    acc = ChatAccumulator()
    acc.add({"choices": [{"index": 0, "logprobs": {"content": [token], "refusal": None}}]})
    early = acc.snapshot()
    acc.add({"choices": [{"index": 0, "logprobs": {"content": [token]}}]})
    assert [len(c.choices[0].logprobs.content) for c in (early, acc.snapshot())] == [1, 2]


def test_agent_extras_survive_nulls() -> None:
    acc = ChatAccumulator()
    acc.add({"choices": [], "retrieval": {"retrieved_data": [{"id": "d", "score": 0.5}]}, "functions": None})
    acc.add({"choices": [], "retrieval": None, "functions": {"called_functions": ["f"]}})
    acc.add({"choices": [], "guardrails": {"triggered_guardrails": [{"rule_name": "r"}]}})
    got = acc.snapshot()
    assert got.retrieval.retrieved_data[0].score == 0.5
    assert got.functions.called_functions == ["f"]
    assert got.guardrails.triggered_guardrails[0].rule_name == "r"


def test_unknown_fields_are_kept() -> None:
    got = assembled({"delta": {"x": [1], "y": 1}}, {"delta": {"x": [2], "y": None, "z": "s"}}, top="t")
    assert got.message.raw == {"x": [1, 2], "y": 1, "z": "s"}
    assert got.raw == {"top": "t"}


def test_unknown_fields_of_choices_and_calls_are_kept_too() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    got = assembled(
        {"delta": {"tool_calls": [call | {"signature": "s"}]}, "token_ids": [1]},
        {"delta": {"tool_calls": [{"index": 0}]}, "token_ids": [2], "stop_reason": "###"},
    )
    assert got.choices[0].raw == {"token_ids": [1, 2], "stop_reason": "###"}
    assert got.tool_calls[0].raw == {"signature": "s"}


def test_unknown_lists_of_a_snapshot_are_not_changed_later() -> None:
    acc = ChatAccumulator()
    acc.add({"choices": [{"index": 0, "delta": {"x": [1]}}]})
    early = acc.snapshot()
    acc.add({"choices": [{"index": 0, "delta": {"x": [2]}}]})
    assert early.message.raw == {"x": [1]}


def test_content_parts_become_text_and_reasoning() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    got = assembled({"delta": {"content": [thinking, {"type": "text", "text": "4"}]}}).message
    assert (got.content, got.reasoning_content) == ("4", "hm")


def test_a_surrogate_pair_in_two_halves_becomes_one_character() -> None:
    assert assembled({"delta": {"content": "\ud83d"}}, {"delta": {"content": "\ude00"}}).text == "😀"


def test_a_lone_surrogate_survives_to_json() -> None:
    got = assembled({"delta": {"content": "a\ud83d"}})
    assert json.loads(got.to_json())["choices"][0]["message"]["content"] == "a\ud83d"


def test_the_assembled_message_can_be_sent_back() -> None:
    got = assembled(
        {"delta": {"role": "assistant", "tool_calls": [part("{}", name="f", index=0, id="a", type="function")]}}
    )
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert got.message.to_dict() == {"role": "assistant", "tool_calls": [call]}


@pytest.mark.parametrize("index", [True, 0.5, "0", [], {}])
def test_an_index_of_the_wrong_type_is_named(index: object) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        ChatAccumulator().add({"choices": [{"index": index}]})
    assert caught.value.path == "$.choices[0].index"


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
MESSAGES = st.fixed_dictionaries(
    {"content": TEXTS, "reasoning_content": TEXTS, "refusal": TEXTS},
    optional={"calls": st.lists(st.tuples(st.text(min_size=1, max_size=3), TEXTS), min_size=1, max_size=3)},
)


@given(st.lists(MESSAGES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_accumulating_the_chunks_equals_the_whole_message(messages: list[dict[str, Any]], random: Any) -> None:
    queues = [_deltas(index, message, random) for index, message in enumerate(messages)]
    acc = ChatAccumulator()
    while any(queues):
        acc.add({"id": "c", "choices": [random.choice([queue for queue in queues if queue]).pop(0)]})
    for message, choice in zip(messages, acc.snapshot().choices, strict=True):
        assert (choice.message.content or "") == message["content"]
        assert (choice.message.reasoning_content or "") == message["reasoning_content"]
        assert (choice.message.refusal or "") == message["refusal"]
        got = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
        assert got == message.get("calls", [])


def _deltas(index: int, message: dict[str, Any], random: Any) -> list[dict[str, Any]]:
    deltas = []
    for name in ("reasoning_content", "refusal", "content"):
        deltas += [{name: piece} for piece in _pieces(message[name], random)]
    for number, (name, arguments) in enumerate(message.get("calls", [])):
        deltas.append({"tool_calls": [part("", name=name, index=number, id=f"id{number}")]})
        deltas += [{"tool_calls": [part(piece, index=number)]} for piece in _pieces(arguments, random)]
    return [{"index": index, "delta": {"role": "assistant"}}, *({"index": index, "delta": delta} for delta in deltas)]


def _pieces(text: str, random: Any) -> list[str]:
    pieces = []
    while text:
        size = random.randint(1, len(text))
        pieces.append(text[:size])
        text = text[size:]
    return pieces
