"""Chunks that differ from the one before only in their text.

Most events of a stream are the same JSON with another token in it. What stands before and after the token is learnt
once; an event that begins and ends alike, with a valid JSON string between, is decoded by reading that string alone:
0.4 µs where the decoder and the converter take 4.

Contract: a learnt pattern is proved before it is used: with a sentinel in the place of the text, the decoded object
must be the same but for that text. A JSON string that is put in the place of another leaves the rest of the text
what it was, so an event that matches cannot mean anything else. A property test holds the two roads together.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
import msgspec

from gradient_async._protocol.codec import decode_json, structure
from gradient_async._protocol.sse import EVENT_BEGIN, EVENT_END
from gradient_async.errors import ResponseDecodeError
from gradient_async.models import ChatCompletionChunk, ChunkChoice, Delta, Model

_SENTINEL = "sentinel-7d1f"
_TEXT_FIELDS = ("content", "reasoning_content")
_JSON_STRING = rb'"\s*:\s*"((?:[^"\\]|\\.)*)"'
_PLACES = {name: re.compile(b'"' + name.encode() + _JSON_STRING) for name in _TEXT_FIELDS}
_as_string = msgspec.json.Decoder(str).decode


@attrs.frozen
class Rest:
    """The fields that all chunks of a pattern share, each a value that cannot change."""

    chunk: dict[str, Any]
    choice: dict[str, Any]
    delta: dict[str, Any]

    @classmethod
    def of(cls, chunk: ChatCompletionChunk) -> Rest | None:
        """Return the fields of *chunk* but its text, None if one is an object of its own."""
        choice = chunk.choices[0]
        chunk_fields, choice_fields, delta_fields = _fields(chunk), _fields(choice), _fields(choice.delta)
        del chunk_fields["choices"], choice_fields["delta"]
        values = (*chunk_fields.values(), *choice_fields.values(), *delta_fields.values())
        simple = all(value is None or type(value) in (str, int) for value in values)
        return cls(chunk_fields, choice_fields, delta_fields) if simple else None

    def with_text(self, field: str, text: str, source: bytes) -> dict[str, Any]:
        """Return the fields of the chunk in *source* that says *text*."""
        delta = Delta(**self.delta | {field: text}, raw=(source, "choices", 0, "delta"))
        choice = ChunkChoice(**self.choice, delta=delta, raw=(source, "choices", 0))
        return {**self.chunk, "choices": [choice]}


def _fields(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.wire_fields}


@attrs.define(eq=False)
class TextPattern:
    """The bytes around the text of a chunk, and which text it is.

    Attributes:
        before: The event's JSON up to the text, its quotation mark included.
        after: The event's JSON from the text's closing quotation mark.
        field: ``"content"`` or ``"reasoning_content"``.
        index: The choice that the text belongs to.
        rest: What else the chunk says, None if that is more than names and numbers.
        head: What stands in the stream before the text of such an event.
        tail: What stands after it.
        joint: What stands between the texts of two such events.
    """

    before: bytes
    after: bytes
    field: str
    index: int
    rest: Rest | None
    head: bytes = attrs.field(init=False)
    tail: bytes = attrs.field(init=False)
    joint: bytes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.head, self.tail = EVENT_BEGIN + self.before, self.after + EVENT_END
        self.joint = self.tail + self.head

    def fill(self, chunk: ChatCompletionChunk, escaped: bytes) -> None:
        """Set every field of *chunk* as the converter reads its JSON."""
        source = self.before + escaped + self.after
        if self.rest is None:
            whole = structure(decode_json(source), ChatCompletionChunk)
            fields = {name: getattr(whole, name) for name in ChatCompletionChunk.wire_fields}
        else:
            fields = self.rest.with_text(self.field, chunk._piece, source)
        for name, value in fields.items():
            setattr(chunk, name, value)
        chunk._raw = source


def string_of(escaped: bytes) -> str | None:
    """Return the text that JSON writes as *escaped*, None if no JSON string is written so."""
    try:
        text = escaped.decode()
        if text.isprintable() and '"' not in text and "\\" not in text:
            return text
        return _as_string(b'"' + escaped + b'"')
    except (UnicodeDecodeError, msgspec.DecodeError):
        return None


def learn(data: bytes, value: dict[str, Any], chunk: ChatCompletionChunk) -> TextPattern | None:
    """Return the pattern that *data* follows, if what may follow it adds nothing but text.

    Args:
        data: The event.
        value: The JSON object in it.
        chunk: The same, decoded.
    """
    if len(chunk.choices) != 1 or not _adds_text_alone(chunk):
        return None
    for name in _TEXT_FIELDS:
        if getattr(chunk.choices[0].delta, name):
            return _proved(data, value, name, chunk)
    return None


def _adds_text_alone(chunk: ChatCompletionChunk) -> bool:
    """Whether adding the rest of *chunk* again would change nothing."""
    choice = chunk.choices[0]
    delta = choice.delta
    texts = [delta.content, delta.reasoning_content, delta.reasoning, delta.refusal]
    lists = any(type(value) is list for value in delta.extra.values())
    return sum(map(bool, texts)) == 1 and not lists and not delta.tool_calls and choice.logprobs is None


def _proved(data: bytes, value: dict[str, Any], name: str, chunk: ChatCompletionChunk) -> TextPattern | None:
    expected = _with_sentinel(value, name)
    for place in _PLACES[name].finditer(data):
        before, after = data[: place.start(1)], data[place.end(1) :]
        try:
            decoded = decode_json(before + _SENTINEL.encode() + after)
        except ResponseDecodeError:
            continue  # what looked like the field stands inside a string
        if decoded == expected:
            return TextPattern(before, after, name, chunk.choices[0].index, Rest.of(chunk))
    return None


def _with_sentinel(value: dict[str, Any], name: str) -> dict[str, Any]:
    choice = value["choices"][0]
    return value | {"choices": [choice | {"delta": choice["delta"] | {name: _SENTINEL}}]}
