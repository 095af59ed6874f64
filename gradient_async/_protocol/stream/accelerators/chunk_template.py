"""The holes that a template of chat chunks may have, and which chunks share a template.

    choices[0].delta.content, .reasoning_content, .reasoning, .refusal     a text that grows
    choices[0].delta.tool_calls[0].function.arguments                      a text that grows
    choices[0].index, choices[0].delta.tool_calls[0].index                 which text it is that grows
    choices[0].logprobs                                                    a list that grows
    any field beside the choices, or inside one                            the last value that is not null wins

Contract: adding the chunks of a template to a completion, one after the other, changes nothing but these. So a chunk
with other unknown fields that differ, with two choices or two tool calls, or with the name of a tool, has no template.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from gradient_async._protocol.codec.fast_reader import FastReader
from gradient_async._protocol.stream.accelerators.event_run import EventRun
from gradient_async._protocol.stream.accelerators.event_template import EventTemplate
from gradient_async._protocol.stream.accelerators.json_template import (
    Hole,
    HoleKind,
    HoleRules,
    JSONText,
    Path,
    infer_template,
)
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END
from gradient_async.models import ChatCompletionChunk
from gradient_async.models.chat import Logprobs

ChunkTemplate = EventTemplate[ChatCompletionChunk]
ChunkRun = EventRun[ChatCompletionChunk]

CHOICE: Path = ("choices", 0)
CHOICE_INDEX: Path = (*CHOICE, "index")
LOGPROBS: Path = (*CHOICE, "logprobs")
DELTA: Path = (*CHOICE, "delta")
TOOL_INDEX: Path = (*DELTA, "tool_calls", 0, "index")
ARGUMENTS: Path = (*DELTA, "tool_calls", 0, "function", "arguments")
TEXT_FIELDS = ("content", "reasoning_content", "reasoning", "refusal")
TEXTS: dict[Path, str] = {(*DELTA, name): name for name in TEXT_FIELDS}
"""The paths of the texts of a delta, with their fields."""

_KINDS: dict[Path, HoleKind] = {
    **dict.fromkeys((*TEXTS, ARGUMENTS), "text"),
    CHOICE_INDEX: "integer",
    TOOL_INDEX: "integer",
    LOGPROBS: "value",
}
_TYPES: tuple[Path, ...] = (("object",), ("type",))
_ERROR_KEYS = ('"error"', '"message"')
"""With one of these, or by its type, the values of the fields beside the choices may make an object an error."""


def _accepts_hole(hole: Hole) -> bool:
    if hole.path[0] == "choices":
        return _KINDS.get(hole.path) == hole.kind
    return hole.kind != "value" and hole.path not in _TYPES


_RULES = HoleRules(frozenset((*TEXT_FIELDS, "arguments")), ("logprobs",), _accepts_hole)


def infer_chunk_template(
    last: JSONText, text: JSONText, chunk: ChatCompletionChunk, known: ChunkTemplate | None
) -> ChunkTemplate | None:
    """Return the template that two events in a row share, None if there is none.

    Args:
        last: The JSON of the event before.
        text: The JSON of this event.
        chunk: The chunk of this event.
        known: The template of earlier events; its holes stay holes.
    """
    if not _is_simple(chunk):
        return None
    template = infer_template(last, text, _RULES, known.holes if known is not None else ())
    if template is None or not _list_growing(chunk) <= {hole.path for hole in template.holes}:
        return None
    is_inside = all(hole.path[0] == "choices" for hole in template.holes)
    if not is_inside and any(key in piece for piece in template.pieces for key in _ERROR_KEYS):
        return None
    readers: dict[Path, Any] = {LOGPROBS: logprobs_reader()} if any(h.kind == "value" for h in template.holes) else {}
    return EventTemplate.from_event(template, chunk, EVENT_BEGIN.decode(), EVENT_END.decode(), readers)


def _is_simple(chunk: ChatCompletionChunk) -> bool:
    """Whether *chunk* has one choice, and at most one tool call, which continues another."""
    if len(chunk.choices) != 1:
        return False
    delta = chunk.choices[0].delta
    if type(chunk.choices[0].logprobs) not in (Logprobs, type(None)):
        return False
    calls = delta.tool_calls or []
    return not calls or (len(calls) == 1 and not (calls[0].function and calls[0].function.name))


def _list_growing(chunk: ChatCompletionChunk) -> set[Path]:
    """Return the paths of all that *chunk* adds to a completion and that grows."""
    (choice,) = chunk.choices
    growing = {path for path, name in TEXTS.items() if getattr(choice.delta, name)}
    if choice.logprobs is not None:
        growing.add(LOGPROBS)
    for call in choice.delta.tool_calls or ():
        if call.function is not None and call.function.arguments:
            growing.add(ARGUMENTS)
    return growing


@cache
def logprobs_reader() -> FastReader[Logprobs]:
    """Return the reader of log probabilities."""
    return FastReader(Logprobs, forbid_unknown=True)
