"""Replies with fields that frameworks do not know, whole and in pieces, and what must be sent back of them."""

from __future__ import annotations

from typing import Any

from gradient_async.testing import Emulator

DETAILS = [{"type": "reasoning.encrypted", "data": "zz", "index": 0}]
SIGNATURE = {"google": {"thought_signature": "yy"}}
_CALLS = [("date", {"extra_content": SIGNATURE}, {}), ("clock", {}, {"thought_signature": "xx"})]


def reply_with_extra_fields(emulator: Emulator, *, stream: bool, ids: tuple[str, str] = ("a", "b")) -> None:
    """Let the next reply be two tool calls, with reasoning details and a signature in each place that has one."""
    calls = [
        {"index": index, "id": ids[index], "type": "function", **extra}
        | {"function": {"name": name, "arguments": "{}", **function_extra}}
        for index, (name, extra, function_extra) in enumerate(_CALLS)
    ]
    message = {"role": "assistant", "content": None, "reasoning_details": DETAILS, "audio": None, "tool_calls": calls}
    deltas = [{"reasoning_details": DETAILS}, *({"tool_calls": [call]} for call in calls), {}]
    _reply_with_calls(emulator, message, deltas, stream=stream)


def reply_with_empty_reasoning(emulator: Emulator, *, stream: bool) -> None:
    """Let the next reply be a call of ``clock`` whose reasoning is an empty text, as models send that did not think."""
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    first, last = {"role": "assistant", "content": None, "reasoning_content": ""}, {"tool_calls": [call]}
    _reply_with_calls(emulator, first | last, [first, last], stream=stream)


def _reply_with_calls(
    emulator: Emulator, message: dict[str, Any], deltas: list[dict[str, Any]], *, stream: bool
) -> None:
    """Let the next reply be *message*, or the stream of its *deltas*; both end with tool calls."""
    choices = [{"index": 0, "delta": delta} for delta in deltas] if stream else [{"index": 0, "message": message}]
    choices[-1]["finish_reason"] = "tool_calls"
    if stream:
        emulator.reply(chunks=[{"id": "c1", "choices": [choice]} for choice in choices])
    else:
        emulator.reply(body={"id": "c1", "choices": choices})


def list_extra_fields(message: dict[str, Any]) -> list[Any]:
    """Return the fields that came with `reply_with_extra_fields` and are in a *message* of a request."""
    first, second = message["tool_calls"]
    assert "audio" not in message
    return [message.get("reasoning_details"), first.get("extra_content"), second["function"].get("thought_signature")]


EXPECTED = [DETAILS, SIGNATURE, "xx"]
