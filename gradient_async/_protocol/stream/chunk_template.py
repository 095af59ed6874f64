"""Chunks that differ from the one before only in their text.

Most events of a stream are the same JSON with another token in it. What stands before and after the token is learnt
once, from two events that are alike; an event that begins and ends alike, with a valid JSON string between, is
decoded by reading that string alone: 0.5 µs with all its objects, where the decoder and the converter take 4.

Contract: a learnt pattern is proved before it is used: with a sentinel in the place of the text, the decoded object
must be the same but for that text. A JSON string that is put in the place of another leaves the rest of the text
what it was, so an event that matches cannot mean anything else. A property test holds the two roads together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END
from gradient_async.errors import ResponseDecodeError
from gradient_async.models import ChatCompletionChunk, ChunkChoice, Delta, Model

ChunkMaker = Callable[..., ChatCompletionChunk]

_SENTINEL = "sentinel-7d1f"
_TEXT_FIELDS = ("content", "reasoning_content")
_JSON_STRING = rb'"\s*:\s*"((?:[^"\\]|\\.)*)"'
_PLACES = {name: re.compile(b'"' + name.encode() + _JSON_STRING) for name in _TEXT_FIELDS}
_as_string = msgspec.json.Decoder(str).decode


@attrs.frozen(eq=False, repr=False)
class TemplateSource:
    """What the chunks of a run have in common: everything but one text of one choice.

    Attributes:
        before: The event's JSON up to the text, its quotation mark included.
        after: The event's JSON from the text's closing quotation mark.
        field: ``"content"`` or ``"reasoning_content"``.
        index: The choice that the text belongs to.
        is_known: Whether the models know every field of it.
    """

    before: bytes
    after: bytes
    field: str
    index: int
    is_known: bool

    def source(self, cls: type[Model], text: str, escaped: bytes | None) -> Any:
        """Return the JSON object that the *cls* of the chunk with this *text* was decoded from."""
        value = decode_json(self.before + (text.encode() if escaped is None else escaped) + self.after)
        if cls is ChatCompletionChunk:
            return value
        choice = value["choices"][0]
        return choice if cls is ChunkChoice else choice["delta"]


@attrs.frozen(eq=False, repr=False)
class ChunkTemplate:
    """How the events look whose chunks have one frame.

    Attributes:
        head: What stands in the stream before the text of such an event.
        tail: What stands after it.
        joint: What stands between the texts of two such events.
        chunk: Makes the chunk of a text; where its JSON has escapes, these bytes are its second argument.
    """

    head: bytes
    tail: bytes
    joint: bytes
    chunk: ChunkMaker
    _words: tuple[str, str, str]

    @classmethod
    def of(cls, frame: TemplateSource, like: ChatCompletionChunk) -> ChunkTemplate:
        """Return the pattern of *frame*, whose chunks are *like* this one."""
        head, tail = EVENT_BEGIN + frame.before, frame.after + EVENT_END
        words = head.decode(), tail.decode(), (tail + head).decode()
        return cls(head, tail, tail + head, _maker(frame, like), words)

    def texts_of(self, run: bytes) -> list[str] | None:
        """Return the texts of the events in *run*; None if one has escapes, or is no event of this pattern.

        Hot: all are cut out at the places where they should be, and that they were there is seen when the run is put
        together again. A call for each would be paid for by every token, and a split at the joint takes twice as long.
        """
        head, tail, joint = self._words
        begin, end = len(head), len(EVENT_END) - len(tail)
        try:
            whole = run.decode()
        except UnicodeDecodeError:
            return None
        texts = [line[begin:end] for line in whole.split("\n")[:-1:2]]
        is_run = f"{head}{joint.join(texts)}{tail}" == whole
        return texts if is_run and _is_unescaped("".join(texts)) else None


def _is_unescaped(text: str) -> bool:
    """Whether JSON may write *text* as it is."""
    return text.isprintable() and '"' not in text and "\\" not in text


def parse_json_string(escaped: bytes) -> str | None:
    """Return the text that JSON writes as *escaped*, None if no JSON string is written so."""
    try:
        text = escaped.decode()
        return text if _is_unescaped(text) else _as_string(b'"' + escaped + b'"')
    except (UnicodeDecodeError, msgspec.DecodeError):
        return None


def infer_template(last: bytes, data: bytes, chunk: ChatCompletionChunk) -> ChunkTemplate | None:
    """Return the pattern of two events in a row, if they differ in a text alone and the next may add nothing else.

    Args:
        last: The event before this one.
        data: This event.
        chunk: The same, decoded just now.
    """
    for name in _TEXT_FIELDS:
        for place in _PLACES[name].finditer(last):
            before, after = last[: place.start(1)], last[place.end(1) :]
            alike = data.startswith(before) and data.endswith(after) and len(data) >= len(before) + len(after)
            if alike and _is_proved(before, after, name, chunk):
                choice = chunk.choices[0]
                is_known = not chunk.extra and not choice.extra and not choice.delta.extra
                return ChunkTemplate.of(TemplateSource(before, after, name, choice.index, is_known), chunk)
    return None


def _is_proved(before: bytes, after: bytes, name: str, chunk: ChatCompletionChunk) -> bool:
    """Whether whatever stands between *before* and *after* is the text called *name*, and all that a chunk adds."""
    if len(chunk.choices) != 1 or not getattr(chunk.choices[0].delta, name) or not _adds_text_alone(chunk):
        return False
    try:
        decoded = decode_json(before + _SENTINEL.encode() + after)
    except ResponseDecodeError:
        return False  # what looked like the field stands inside a string
    choice = chunk.raw["choices"][0]
    return bool(decoded == chunk.raw | {"choices": [choice | {"delta": choice["delta"] | {name: _SENTINEL}}]})


def _adds_text_alone(chunk: ChatCompletionChunk) -> bool:
    """Whether adding the rest of *chunk* again would change nothing, and every other chunk can have it."""
    choice = chunk.choices[0]
    delta = choice.delta
    texts = [delta.content, delta.reasoning_content, delta.reasoning, delta.refusal]
    lists = any(type(value) is list for value in (*choice.extra.values(), *delta.extra.values()))
    objects = [chunk.usage, chunk.retrieval, chunk.functions, chunk.guardrails, choice.logprobs, delta.tool_calls]
    return sum(map(bool, texts)) == 1 and not lists and all(value is None for value in objects)


def _maker(frame: TemplateSource, like: ChatCompletionChunk) -> ChunkMaker:
    """Return what makes the chunks of *frame*, each with objects of its own, *like* one that was decoded.

    Hot: a slot that is set costs 7 ns; the constructors of attrs with their keywords would take twice as long.
    """
    new_chunk, new_choice, new_delta = ChatCompletionChunk.__new__, ChunkChoice.__new__, Delta.__new__
    chunk_class, choice_class, delta_class = ChatCompletionChunk, ChunkChoice, Delta
    id_, object_, created, model = like.id, like.object, like.created, like.model
    system_fingerprint, service_tier = like.system_fingerprint, like.service_tier
    index, finish_reason = like.choices[0].index, like.choices[0].finish_reason
    old = like.choices[0].delta
    content, role, refusal, thought, reasoning = (
        old.content, old.role, old.refusal, old.reasoning_content, old.reasoning,
    )  # fmt: skip
    is_content = frame.field == "content"

    def chunk_of(text: str, escaped: bytes | None = None) -> ChatCompletionChunk:
        raw = (frame, text, escaped)
        delta = new_delta(delta_class)
        delta._raw = raw
        delta.content = text if is_content else content
        delta.role = role
        delta.refusal = refusal
        delta.reasoning_content = thought if is_content else text
        delta.reasoning = reasoning
        delta.tool_calls = None
        choice = new_choice(choice_class)
        choice._raw = raw
        choice.index = index
        choice.delta = delta
        choice.finish_reason = finish_reason
        choice.logprobs = None
        chunk = new_chunk(chunk_class)
        chunk._raw = raw
        chunk.id = id_
        chunk.object = object_
        chunk.created = created
        chunk.model = model
        chunk.choices = [choice]
        chunk.system_fingerprint = system_fingerprint
        chunk.service_tier = service_tier
        chunk.usage = chunk.retrieval = chunk.functions = chunk.guardrails = None
        return chunk

    return chunk_of
