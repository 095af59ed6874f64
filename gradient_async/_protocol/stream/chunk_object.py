"""JSON objects to chunks: a chunk, or a whole completion that some servers send as the one event of a stream."""

from __future__ import annotations

from typing import Any

from gradient_async._protocol.codec.converter import structure
from gradient_async.models import ChatCompletion, ChatCompletionChunk


def structure_chunk(value: Any) -> ChatCompletionChunk:
    """Convert the JSON *value* of a chunk or a whole completion to a chunk.

    Raises:
        ResponseDecodeError: It is neither.
    """
    return completion_to_chunk(value) if _is_completion(value) else structure(value, ChatCompletionChunk)


def completion_to_chunk(completion: dict[str, Any]) -> ChatCompletionChunk:
    """Convert the JSON object of a *completion* to the chunk that says the same."""
    choices = structure(completion, ChatCompletion).to_dict()["choices"]
    form = {"object": "chat.completion.chunk", "choices": [_choice_to_delta(choice) for choice in choices]}
    return structure(completion | form, ChatCompletionChunk)


def _is_completion(value: Any) -> bool:
    choices = value.get("choices") if isinstance(value, dict) else None
    return isinstance(choices, list) and any(isinstance(each, dict) and _is_whole(each) for each in choices)


def _is_whole(choice: dict[str, Any]) -> bool:
    return bool(choice.get("message")) and not choice.get("delta")


def _choice_to_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a completion's *choice* in the form that it has in a chunk: a delta, and indexed tool calls."""
    message = choice.pop("message")
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{"index": position} | call for position, call in enumerate(calls)]
    return choice | {"delta": message}
