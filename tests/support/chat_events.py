"""Events of chat streams: their JSON, and whether a chunk was built by a template."""

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any

from gradient_async import ChatCompletionChunk
from gradient_async._protocol.stream.accelerators.event_template import TemplateSource
from gradient_async.models._raw_source import SOURCE

EVENT: dict[str, Any] = {
    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}],
}  # fmt: skip


def encode_event(value: Any, *, ascii_only: bool = True, spaced: bool = False) -> bytes:
    """Return the JSON text of an event, without the ``data:`` line around it."""
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode(errors="surrogatepass")


def event_with_text(text: str, **delta: Any) -> dict[str, Any]:
    return EVENT | {"choices": [{"index": 0, "delta": {"content": text} | delta, "finish_reason": None}]}


def is_from_template(chunk: ChatCompletionChunk) -> bool:
    """Whether a template built *chunk*; only before its ``raw`` is read for the first time."""
    raw = chunk._raw
    return type(raw) is tuple and type(raw[SOURCE]) is TemplateSource


def take_events(accumulator: Any, batches: Iterable[Iterable[Any]]) -> list[Any]:
    """Return the events of *batches*, each added to the *accumulator* when it is taken, as a stream does."""
    if hasattr(accumulator, "follow"):
        return list(chain.from_iterable(map(accumulator.follow, batches)))
    events = list(chain.from_iterable(batches))
    for event in events:
        accumulator.add_decoded(event)
    return events
