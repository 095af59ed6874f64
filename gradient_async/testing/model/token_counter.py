"""How much a call used.

Contract: a token is a word or a mark. Content with ``cache_control`` is written to the cache the first time
it is seen and read from it afterwards; everything else is never cached.
Source: the ``usage`` object of the Agent Inference reference; prompt caching as its how-to page describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.model.prompt import Turn, tokens

_PER_MESSAGE = 3


@attrs.define
class Meter:
    """Counts, and remembers what was cached."""

    _cached: set[str] = attrs.field(factory=set, init=False)

    def usage(self, messages: Sequence[Mapping[str, Any]], turns: Sequence[Turn]) -> dict[str, Any]:
        """Return the ``usage`` object of an answer."""
        prompt = sum(_PER_MESSAGE + _size(_text(message)) for message in messages)
        completion = sum(turn.size for turn in turns)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            **self._cache(messages),
        }

    def _cache(self, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        created = {"5m": 0, "1h": 0}
        read = 0
        for text, lifetime in _cacheable(messages):
            if text in self._cached:
                read += _size(text)
                continue
            self._cached.add(text)
            created["1h" if lifetime == "1h" else "5m"] += _size(text)
        return {
            "cache_created_input_tokens": sum(created.values()),
            "cache_read_input_tokens": read,
            "cache_creation": {f"ephemeral_{name}_input_tokens": count for name, count in created.items()},
        }


def _cacheable(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if control := part.get("cache_control"):
                yield part.get("text", ""), control.get("ttl", "5m")


def _text(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls") or ()
    return " ".join((text_of(message.get("content")), *(call["function"]["arguments"] for call in calls)))


def _size(text: str) -> int:
    return len(tokens(text))


def text_of(content: object) -> str:
    """Return the text of a message's content: a string, or parts of which those with text count."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
