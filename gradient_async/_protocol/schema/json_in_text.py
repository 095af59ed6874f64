"""Finds the JSON values in a text that a model wrote: after its thoughts, between sentences, in code fences.

Contract: pure, and linear in the length of the text, also for a text made to be slow.
Source: RFC 8259; the tags around thoughts that models are known to write.
"""

# Some models think aloud, greet, or put the value into a fence:
#
#   <think>Not {"name": "Paris"}, surely.</think>
#   Here it is: ```json {"name": "Rome"} ```
#   I used the field {name} as you asked.
#
# Thoughts are from an opening to a closing tag. A server may have kept the opening tag, so a text whose first tag
# closes begins with thoughts. Thoughts that never close hide everything but a value that ends the text.
#
# Values begin at a bracket. From there the tokens of JSON are matched until the bracket is closed; sentences and fences
# are what lies between the values. `{name}` fails at its first token and is prose. A value that fails later, as
# `{"a": 1, b}`, is broken, and is skipped to its closing bracket: what it contains is a fragment, never the answer.
# Each character is matched a constant number of times: the search goes on where an attempt ended, and after prose
# with the next character.

from __future__ import annotations

import json
import re
from bisect import bisect_right
from operator import itemgetter

import attrs

_TAG = re.compile(r"<(/?)(?:think|thinking|thoughts?|reasoning)>|\[(/?)THINK\]|◁(/?)think▷", re.IGNORECASE)
_BRACKET = re.compile(r"[{\[]")
_ENDING = re.compile(r"[\s`~]*+\Z")

_SPACE = r"[ \t\n\r]*+"
_INSIDE = r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+'
_KEY = rf'{_SPACE}"{_INSIDE}"{_SPACE}:'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?"
_VALUE = rf'{_SPACE}(?:[{{\[]|"{_INSIDE}"|{_NUMBER}|true|false|null|NaN|-?Infinity)'

_AFTER = {
    "{": re.compile(rf"{_SPACE}}}|{_KEY}"),
    "[": re.compile(rf"{_SPACE}\]|{_VALUE}"),
    ":": re.compile(_VALUE),
}
"""The token after an opening bracket or a key, by the last character of these."""
_NEXT = {"{": re.compile(rf"{_SPACE}(?:}}|,{_KEY})"), "[": re.compile(rf"{_SPACE}(?:\]|,{_VALUE})")}
"""The token after a value, by the bracket around it."""
_CUT = re.compile(
    rf'{_SPACE},?{_SPACE}(?:"{_INSIDE}(?:\\(?:u[0-9a-fA-F]{{0,3}})?|"{_SPACE})?|-?[0-9.eE+-]*+'
    r"|tr?u?|fa?l?s?|nu?l?|-?In?f?i?n?i?t?|Na?)?\Z"
)
"""The beginning of a token that the end of the text cuts off."""
_REST = re.compile(r'[{}\[\]]|"(?:[^"\\\n]++|\\.)*+(?:"|\\?$)', re.MULTILINE)
"""Brackets and strings in the rest of a broken value; a string ends with its line at the latest."""


@attrs.frozen
class JsonInText:
    """The JSON values in a text.

    Attributes:
        values: The texts of the objects and arrays outside of thoughts, in their order.
        after_thoughts: The value that ends the text after thoughts that never close, None if there is none.
        is_cut: Whether the text ends within a value.
        fault: Reason and place of the fault in the longest value that is broken or cut, None if none is.
    """

    values: list[str]
    after_thoughts: str | None
    is_cut: bool
    fault: str | None


Span = tuple[int, int]


@attrs.define
class _Found:
    """The values in a text: spans of complete ones, spans of faulty ones up to the fault, whether the last is cut."""

    complete: list[Span] = attrs.field(factory=list)
    faulty: list[Span] = attrs.field(factory=list)
    is_cut: bool = False


def find_json(text: str) -> JsonInText:
    """Find the JSON objects and arrays in *text*."""
    thoughts, is_open = _find_thoughts(text)
    found = _Found()
    for begin, end in _gaps_between(thoughts, len(text)):
        _find_values(text, begin, end, found)
    if thoughts and not found.complete:  # are the tags text of a value, as in {"html": "<think>"}?
        whole = _find_values(text, 0, len(text), _Found())
        whole.complete = [span for span in whole.complete if not _is_within(span, thoughts)]
        found = whole if whole.complete else found
    return JsonInText(
        values=[text[begin:end] for begin, end in found.complete],
        after_thoughts=_find_after_thoughts(text, thoughts[-1][0]) if is_open else None,
        is_cut=found.is_cut,
        fault=_describe_fault(text, found.faulty) if found.faulty else None,
    )


def _find_after_thoughts(text: str, begin: int) -> str | None:
    """Return the value that ends the thoughts from *begin* on, which never close; None if something else ends them."""
    complete = _find_values(text, begin, len(text), _Found()).complete
    return text[slice(*complete[-1])] if complete and _ENDING.match(text, complete[-1][1]) else None


def _find_values(text: str, begin: int, end: int, found: _Found) -> _Found:
    """Add the values between *begin* and *end* to *found*."""
    at: int | None = begin
    while at is not None and (bracket := _BRACKET.search(text, at, end)):
        start = bracket.start()
        stop, depth, is_prose = _match_value(text, start, end)
        at = stop
        if not depth:
            found.complete.append((start, stop))
            continue
        is_cut = _CUT.match(text, stop, end) is not None
        if is_prose and not is_cut:
            continue
        found.faulty.append((start, stop))
        at = None if is_cut else _skip_broken(text, stop, end, depth)
        found.is_cut = at is None and end == len(text)
    return found


def _match_value(text: str, begin: int, end: int) -> tuple[int, int, bool]:
    """Match the value at the bracket at *begin*, as far as it is JSON and before *end*.

    Returns:
        The position after its last token, the number of brackets that are still open, and whether the tokens were
        brackets only.
    """
    at, mark, is_prose = begin + 1, text[begin], True
    brackets: list[str] = []
    while True:
        if mark in "{[":
            brackets.append(mark)
        elif mark in "}]":
            brackets.pop()
        else:
            is_prose = False
        if not brackets:
            break
        token = (_AFTER.get(mark) or _NEXT[brackets[-1]]).match(text, at, end)
        if token is None:
            break
        at = token.end()
        mark = text[at - 1]
    return at, len(brackets), is_prose


def _skip_broken(text: str, at: int, end: int, depth: int) -> int | None:
    """Return the position after the bracket that closes a broken value, None if there is none."""
    for token in _REST.finditer(text, at, end):
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
        if not depth:
            return token.end()
    return None


def _find_thoughts(text: str) -> tuple[list[Span], bool]:
    """Return the spans of the thoughts in *text*, and whether the last of them never close."""
    tags = [(tag.start(), tag.end(), "/" in tag[0]) for tag in _TAG.finditer(text)]
    thoughts: list[Span] = []
    opened_at = 0 if tags and tags[0][2] else None
    for begin, end, is_closing in tags:
        if not is_closing:
            opened_at = begin if opened_at is None else opened_at
        elif opened_at is not None:
            thoughts.append((opened_at, end))
            opened_at = None
    if opened_at is not None:
        thoughts.append((opened_at, len(text)))
    return thoughts, opened_at is not None


def _gaps_between(thoughts: list[Span], end: int) -> list[Span]:
    """Return the spans of a text before, between and after *thoughts*."""
    begins = [0, *(end for _, end in thoughts)]
    ends = [*(begin for begin, _ in thoughts), end]
    return list(zip(begins, ends, strict=True))


def _is_within(span: Span, thoughts: list[Span]) -> bool:
    """Whether *span* is within one of *thoughts*, which are in order."""
    place = bisect_right(thoughts, span[0], key=itemgetter(0)) - 1
    return place >= 0 and span[1] <= thoughts[place][1]


def _describe_fault(text: str, faulty: list[Span]) -> str | None:
    """Return reason and place of the fault in the longest of *faulty*."""
    begin, _ = max(faulty, key=lambda span: span[1] - span[0])
    try:
        json.JSONDecoder().raw_decode(text, begin)
    except json.JSONDecodeError as error:
        reason = error.msg.lower().removesuffix(" at").rstrip(": ")
        return f"{reason} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        pass
    return None
