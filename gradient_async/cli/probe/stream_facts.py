"""The framing of an event stream, read from its bytes: what a parser of server-sent events hides.

Contract: pure; no text of an event is kept.
Source: the WHATWG's server-sent events; ``[DONE]`` of OpenAI's streams.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import attrs

from gradient_async.cli.probe.exchange import Exchange

_LINE_END = re.compile(rb"\r\n|\n|\r")
_ENDINGS = {b"\r\n": "CRLF", b"\n": "LF", b"\r": "CR"}
_BOM, _DONE = b"\xef\xbb\xbf", b"[DONE]"


@attrs.frozen(kw_only=True)
class StreamFacts:
    """The framing of one stream.

    Attributes:
        line_ends: Kinds of line ends, as ``LF``.
        fields: Number of lines by field name; ``""`` for comments.
        event_names: Names of events, in order of their first use.
        has_bom: Whether the stream begins with a byte order mark.
        is_done: Whether ``[DONE]`` came.
        after_done: What follows the line with it: ``"a blank line"``, ``"nothing"`` or ``"more"``.
        has_finish: Whether a chunk states a finish reason.
        usage: Where the token usage is: in ``"a chunk without choices"``, ``"a chunk with choices"`` or ``"no chunk"``.
    """

    line_ends: tuple[str, ...]
    fields: dict[str, int]
    event_names: tuple[str, ...]
    has_bom: bool
    is_done: bool
    after_done: str
    has_finish: bool
    usage: str


def analyse_stream(body: bytes) -> StreamFacts:
    """Return the framing of the stream *body*."""
    fields: dict[str, int] = {}
    names: dict[str, None] = {}
    chunks, after_done = [], None
    lines = _LINE_END.split(body.removeprefix(_BOM))
    for number, line in enumerate(lines):
        name, value = _split_line(line)
        if name is None:
            continue
        fields[name] = fields.get(name, 0) + 1
        if name == "event":
            names.setdefault(value.decode("ascii", "replace"))
        elif name == "data" and value == _DONE and after_done is None:
            after_done = lines[number + 1 :]
        elif name == "data":
            chunks.append(_read_object(value))
    return StreamFacts(
        line_ends=tuple(text for end, text in _ENDINGS.items() if end in set(_LINE_END.findall(body))),
        fields=fields,
        event_names=tuple(names),
        has_bom=body.startswith(_BOM),
        is_done=after_done is not None,
        after_done=_describe_rest(after_done or []),
        has_finish=any(choice.get("finish_reason") for chunk in chunks for choice in _list_choices(chunk)),
        usage=_find_usage(chunks),
    )


def measure_pace(exchange: Exchange) -> tuple[float, float, float]:
    """Return the seconds to the first block, of the longest silence after it, and from ``[DONE]`` to the end."""
    if not exchange.blocks:
        return exchange.seconds, 0.0, 0.0
    times = [seconds for seconds, _ in exchange.blocks]
    silences = [later - earlier for earlier, later in pairwise(times)]
    done_at = next((seconds for seconds, block in exchange.blocks if _DONE in block), exchange.seconds)
    return times[0], max(silences, default=0.0), exchange.seconds - done_at


def _split_line(line: bytes) -> tuple[str | None, bytes]:
    """Return name and value of a line: name None for a blank line, ``""`` for a comment."""
    if not line:
        return None, b""
    name, _, value = line.partition(b":")
    return name.decode("ascii", "replace"), value.removeprefix(b" ")


def _read_object(value: bytes) -> dict[str, Any]:
    try:
        chunk = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return chunk if isinstance(chunk, dict) else {}


def _list_choices(chunk: dict[str, Any]) -> Iterator[dict[str, Any]]:
    choices = chunk.get("choices")
    yield from (each for each in choices if isinstance(each, dict)) if isinstance(choices, list) else ()


def _find_usage(chunks: list[dict[str, Any]]) -> str:
    found = [chunk for chunk in chunks if chunk.get("usage")]
    if not found:
        return "no chunk"
    return "a chunk with choices" if any(True for _ in _list_choices(found[-1])) else "a chunk without choices"


def _describe_rest(lines: list[bytes]) -> str:
    if any(lines):
        return "more"
    return "a blank line" if len(lines) > 1 else "nothing"
