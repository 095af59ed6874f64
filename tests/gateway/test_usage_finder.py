"""The tokens of a response, found in the bytes that pass."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async.gateway.usage_finder import TokenUsage, UsageFinder

TEXT = "word " * 4000
CHAT = json.dumps({"choices": [{"message": {"content": TEXT}}], "usage": {"prompt_tokens": 7, "completion_tokens": 9}})
CHUNK = json.dumps({"choices": [{"delta": {"content": 'He said: "usage": {"prompt_tokens": 3}'}}], "usage": None})
LAST = json.dumps({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}})
CHAT_STREAM = f"data: {CHUNK}\n\n" * 300 + f"data: {LAST}\n\ndata: [DONE]\n\n"
START = json.dumps({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}})
DELTA = json.dumps({"type": "content_block_delta", "delta": {"text": TEXT}})
END = json.dumps({"type": "message_delta", "usage": {"output_tokens": 9}})
MESSAGE_STREAM = f"event: message_start\ndata: {START}\n\n" + f"data: {DELTA}\n\n" * 3 + f"data: {END}\n\n"
RESPONSE = json.dumps({"response": {"output": TEXT, "usage": {"input_tokens": 7, "output_tokens": 9}, "user": None}})
RESPONSE_STREAM = f"event: response.completed\ndata: {RESPONSE}\n\n"
ALL = {"chat": CHAT, "chat stream": CHAT_STREAM, "message stream": MESSAGE_STREAM, "response stream": RESPONSE_STREAM}


@pytest.mark.parametrize("body", ALL.values(), ids=ALL)
@pytest.mark.parametrize("size", [1000, 8192, 1_000_000])
def test_usage_is_found_in_every_api(body: str, size: int) -> None:
    finder, data = UsageFinder(), body.encode()
    for start in range(0, len(data), size):
        finder.feed(data[start : start + size])
    assert finder.find_usage() == TokenUsage(input=7, output=9)


@given(st.lists(st.integers(0, len(MESSAGE_STREAM)), max_size=8))
def test_where_the_blocks_end_changes_nothing(cuts: list[int]) -> None:
    finder, data = UsageFinder(), MESSAGE_STREAM.encode()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        finder.feed(data[start:end])
    assert finder.find_usage() == TokenUsage(input=7, output=9)


NOTHING = [
    "",
    '{"usage": null}',
    '{"usage": {"prompt_tokens": -3, "completion_tokens": true}}',
    '{"usage": {"prompt_tokens": 1e3, "completion_tokens": 99999999999}}',
    '{"usage": {"prompt_tokens": 12',
    '{"content": "\\"usage\\": {\\"prompt_tokens\\": 5}"}',
    '{"usage": ' + '{"a": ' * 5000,
]


@pytest.mark.parametrize("body", NOTHING)
def test_anything_else_states_nothing(body: str) -> None:
    finder = UsageFinder()
    finder.feed(body.encode())
    assert finder.find_usage() == TokenUsage()
