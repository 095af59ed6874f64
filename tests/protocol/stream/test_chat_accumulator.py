"""Chunks assembled into a completion."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatAccumulator, ChatCompletion, ResponseDecodeError


def assemble_choices(*choices: dict[str, Any], **top: Any) -> ChatCompletion:
    """Return the completion of one chunk for each of *choices*; *top* are further fields of every chunk."""
    acc = ChatAccumulator()
    for choice in choices:
        acc.add({"id": "c", "choices": [{"index": 0, **choice}], **top})
    return acc.snapshot()


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
    assert (
        assemble_choices({"delta": {"role": "assistant"}}, {"delta": {"role": "assistant"}}).message.role == "assistant"
    )


def test_reasoning_refusal_and_content_are_kept_apart() -> None:
    message = assemble_choices(
        {"delta": {"reasoning_content": "hm"}}, {"delta": {"reasoning_content": "m"}}, {"delta": {"reasoning": "r"}},
        {"delta": {"refusal": "no"}}, {"delta": {"content": "yes"}},
    ).message  # fmt: skip
    got = message.reasoning_content, message.reasoning, message.refusal, message.content
    assert got == ("hmm", "r", "no", "yes")


def test_the_last_usage_that_is_not_null_wins() -> None:
    acc = ChatAccumulator()
    for usage in ({"total_tokens": 1}, {"total_tokens": 2}, None):
        acc.add({"choices": [], "usage": usage})
    assert acc.usage is not None
    assert acc.usage.total_tokens == 2
    assert acc.snapshot().usage == acc.usage


def logprobs_of(completion: ChatCompletion) -> Any:
    return completion.to_dict()["choices"][0]["logprobs"]["content"]


def test_logprobs_are_extended_and_a_snapshot_is_not_changed_later() -> None:
    token = {"token": "a", "logprob": -1.0, "top_logprobs": []}
    acc = ChatAccumulator()
    acc.add({"choices": [{"index": 0, "logprobs": {"content": [token], "refusal": None}}]})
    early = acc.snapshot()
    acc.add({"choices": [{"index": 0, "logprobs": {"content": [token]}}]})
    assert [logprobs_of(completion) for completion in (early, acc.snapshot())] == [[token], [token, token]]


def test_agent_extras_survive_nulls() -> None:
    acc = ChatAccumulator()
    acc.add({"choices": [], "retrieval": {"retrieved_data": [{"id": "d", "score": 0.5}]}, "functions": None})
    acc.add({"choices": [], "retrieval": None, "functions": {"called_functions": ["f"]}})
    acc.add({"choices": [], "guardrails": {"triggered_guardrails": [{"rule_name": "r"}]}})
    got = acc.snapshot().to_dict()
    assert got["retrieval"] == {"retrieved_data": [{"id": "d", "score": 0.5}]}
    assert got["functions"] == {"called_functions": ["f"]}
    assert got["guardrails"] == {"triggered_guardrails": [{"rule_name": "r"}]}


def test_unknown_fields_are_kept() -> None:
    got = assemble_choices({"delta": {"x": [1], "y": 1}}, {"delta": {"x": [2], "y": None, "z": "s"}}, top="t")
    assert got.message.raw == {"x": [1, 2], "y": 1, "z": "s"}
    assert got.raw == {"top": "t"}


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["Let me ", "see."], "Let me see."),
        (["analysis", "analysis", "analysis"], "analysis"),
        ([{"name": "f", "arguments": ""}, {"arguments": '{"q":'}, {"arguments": "1}"}], {"name": "f", "arguments": '{"q":1}'}),
        ([{"name": "f", "arguments": "{"}, {"name": "f", "arguments": "}"}], {"name": "f", "arguments": "{}"}),
        ([{"id": "audio_1"}, {"transcript": "Hel"}, {"transcript": "lo", "data": "AA"}, {"data": "BB", "expires_at": 7}],
         {"id": "audio_1", "transcript": "Hello", "data": "AABB", "expires_at": 7}),
        ([[{"type": "text", "text": "Let me ", "index": 0, "format": "f"}], [{"type": "text", "text": "see.", "index": 0}],
          [{"type": "text", "signature": "zz", "index": 0, "format": "f"}], []],
         [{"type": "text", "text": "Let me see.", "index": 0, "format": "f", "signature": "zz"}]),
        ([[{"type": "summary", "summary": "a", "index": 0}], [{"type": "encrypted", "data": "x", "index": 0}]],
         [{"type": "summary", "summary": "a", "index": 0}, {"type": "encrypted", "data": "x", "index": 0}]),
        ([[{"type": "url_citation", "url": "a"}], [{"type": "url_citation", "url": "b"}]],
         [{"type": "url_citation", "url": "a"}, {"type": "url_citation", "url": "b"}]),
        ([1, None, 2], 2),
        ([None, False], False),
    ],
)  # fmt: skip
def test_unknown_fields_of_the_delta_are_assembled_from_their_pieces(pieces: list[Any], expected: Any) -> None:
    got = assemble_choices(*({"delta": {"content": "a", "x": piece}} for piece in pieces)).message
    assert (got.extra, got.to_dict()["x"]) == ({"x": expected}, expected)


def test_unknown_fields_of_choices_and_calls_are_kept_too() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    got = assemble_choices(
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
    got = assemble_choices({"delta": {"content": [thinking, {"type": "text", "text": "4"}]}}).message
    assert (got.content, got.reasoning_content) == ("4", "hm")


def test_a_surrogate_pair_in_two_halves_becomes_one_character() -> None:
    assert assemble_choices({"delta": {"content": "\ud83d"}}, {"delta": {"content": "\ude00"}}).text == "😀"


def test_a_lone_surrogate_survives_to_json() -> None:
    got = assemble_choices({"delta": {"content": "a\ud83d"}})
    assert json.loads(got.to_json())["choices"][0]["message"]["content"] == "a\ud83d"


def test_the_assembled_message_can_be_sent_back() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    got = assemble_choices({"delta": {"role": "assistant", "tool_calls": [call | {"index": 0}]}})
    assert got.message.to_dict() == {"role": "assistant", "tool_calls": [call]}


@pytest.mark.parametrize("index", [True, 0.5, "first", "-1", "", [], {}])
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
def test_accumulating_the_chunks_equals_the_whole_message(messages: list[dict[str, Any]], random: Random) -> None:
    queues = [split_message(index, message, random) for index, message in enumerate(messages)]
    acc = ChatAccumulator()
    while any(queues):
        acc.add({"id": "c", "choices": [random.choice([queue for queue in queues if queue]).pop(0)]})
    for message, choice in zip(messages, acc.snapshot().choices, strict=True):
        assert (choice.message.content or "") == message["content"]
        assert (choice.message.reasoning_content or "") == message["reasoning_content"]
        assert (choice.message.refusal or "") == message["refusal"]
        got = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
        assert got == message.get("calls", [])


def split_message(index: int, message: dict[str, Any], random: Random) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    for name in ("reasoning_content", "refusal", "content"):
        deltas += [{name: piece} for piece in split_text(message[name], random)]
    for number, (name, arguments) in enumerate(message.get("calls", [])):
        deltas.append(
            {"tool_calls": [{"index": number, "id": f"id{number}", "function": {"name": name, "arguments": ""}}]}
        )
        deltas += [
            {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}
            for piece in split_text(arguments, random)
        ]
    return [{"index": index, "delta": {"role": "assistant"}}, *({"index": index, "delta": delta} for delta in deltas)]


def split_text(text: str, random: Random) -> list[str]:
    pieces = []
    while text:
        size = random.randint(1, len(text))
        pieces.append(text[:size])
        text = text[size:]
    return pieces
