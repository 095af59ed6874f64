"""Token counts: the ``usage`` of a call.

Contract: a token is a word or a punctuation mark. Content with ``cache_control`` is written to the cache at its first
use and read from it afterwards; other content is never cached.
Source: the ``usage`` object of the Agent Inference reference; prompt caching as its how-to page describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.model.prompt import Completion, split_tokens

_TOKENS_PER_MESSAGE = 3


@attrs.define
class TokenCounter:
    """Counts the tokens of calls, with a prompt cache."""

    _cached: set[str] = attrs.field(factory=set, init=False)

    def count_usage(self, messages: Sequence[Mapping[str, Any]], completions: Sequence[Completion]) -> dict[str, Any]:
        """Return the ``usage`` object of a call, and cache the cacheable parts of *messages*."""
        prompt = sum(_TOKENS_PER_MESSAGE + _count_tokens(_message_text(message)) for message in messages)
        completion = sum(completion.token_count for completion in completions)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            **self._count_cached(messages),
        }

    def _count_cached(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        created = {"5m": 0, "1h": 0}
        read = 0
        for text, lifetime in _cacheable_parts(messages):
            if text in self._cached:
                read += _count_tokens(text)
                continue
            self._cached.add(text)
            created["1h" if lifetime == "1h" else "5m"] += _count_tokens(text)
        return {
            "cache_created_input_tokens": sum(created.values()),
            "cache_read_input_tokens": read,
            "cache_creation": {f"ephemeral_{name}_input_tokens": count for name, count in created.items()},
        }


def _cacheable_parts(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if control := part.get("cache_control"):
                yield part.get("text", ""), control.get("ttl", "5m")


def _message_text(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls") or ()
    return " ".join((content_text(message.get("content")), *(call["function"]["arguments"] for call in calls)))


def _count_tokens(text: str) -> int:
    return len(split_tokens(text))


def content_text(content: object) -> str:
    """Return the text of a message's content: the string itself, or the joined text of its parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
