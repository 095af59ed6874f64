"""Templates of JSON texts: everything in a text but a few values, its holes.

Most events of a stream are the same JSON with other values in a few places. A template finds these values in a run of
events without parsing anything else, for a whole block of the body at once.

Worked example. Two texts arrive in a row (shortened):

    {"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"}}],"usage":{"total_tokens":44}}
    {"id":"c1","choices":[{"index":0,"delta":{"content":"lo"}}],"usage":{"total_tokens":45}}

1. *Infer.* The tokens ``"Hel"`` and ``44`` differ from ``"lo"`` and ``45``, and all others are equal: two holes. A
   token after a key that always holds a part of a text is a hole even if it happens to be equal.
2. *Prove.* Equal tokens are not enough: a key may occur twice. So a sentinel is put into each hole and the text
   decoded. Each sentinel must be found, which tells the path of the hole, and with the values of the second text in
   the place of the sentinels the object must equal that of the second text. This holds for any other value of the same
   kind then: replacing a value by another leaves the meaning of all other bytes as it is.
3. *Use.* The template's pieces are ``{"id":"c1",...{"content":"``, ``"}}],"usage":{"total_tokens":`` and ``}}``. A run
   of events is searched for values at the right distances (`RunSplitter`). Joined with the pieces, they must give the
   run: then every value was found where it is.

A value is a text (a JSON string without its quotation marks), an integer, or any object or list. Texts and integers
are decoded for a whole run in one call.

Contract: a run is only split if each of its events is the JSON text of the template with a valid value in each hole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import reduce
from operator import getitem
from typing import Any, Literal

import attrs
import msgspec

from gradient_async._protocol.codec.converter import decode_json
from gradient_async.errors import ResponseDecodeError

HoleKind = Literal["text", "integer", "value"]
Path = tuple[str | int, ...]
Columns = Sequence[Sequence[str]]
"""The values of a run as the events have them: for each hole, those of all events."""

_find_tokens = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s"\[\]{}:,]+|\s+').findall
_VALUE_PATTERNS: dict[HoleKind, str] = {
    "text": r'([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)',
    "integer": r"(0|[1-9][0-9]{0,14})",
    "value": r"(.*)",
}
_BLANK_LINE = "\n\n"
_is_integer = re.compile(_VALUE_PATTERNS["integer"], re.ASCII).fullmatch
_SENTINELS: dict[HoleKind, str] = {"text": '"sentinel-7d1f-%d"', "integer": "731%012d", "value": '"sentinel-7d1f-%d"'}
_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_integers = msgspec.json.Decoder(list[int]).decode


@attrs.frozen
class Hole:
    """A place in a template: the path of its value in the JSON object, and the kind of the value."""

    path: Path
    kind: HoleKind


@attrs.frozen(eq=False)
class HoleRules:
    """The holes that a template of one API may have.

    Attributes:
        text_keys: Keys whose texts are holes even if two events happen to have the same.
        value_keys: Keys whose objects and lists are one hole each.
        accepts: Whether there may be a hole at a path. Without it, two texts that differ there share no template.
    """

    text_keys: frozenset[str]
    value_keys: tuple[str, ...]
    accepts: Callable[[Hole], bool]


@attrs.frozen(eq=False, repr=False)
class JSONTemplate:
    """A JSON text with holes.

    Attributes:
        pieces: The text before, between and after the holes; quotation marks around texts belong to it.
        holes: The holes, in the order of the text.
    """

    pieces: tuple[str, ...]
    holes: tuple[Hole, ...]

    def decode_values(self, values: Sequence[str], path: Path = ()) -> Any:
        """Return the JSON value at *path* of the text with *values* in the holes."""
        return reduce(getitem, path, decode_json(fill_pieces(self.pieces, values)))


def fill_pieces(pieces: Sequence[str], values: Sequence[str]) -> str:
    """Return the text of *pieces* with *values* between them."""
    parts = [""] * (2 * len(values) + 1)
    parts[::2], parts[1::2] = pieces, values
    return "".join(parts)


class JSONText:
    """A JSON text and its tokens, which are found when they are first asked for."""

    __slots__ = ("_tokens", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: list[str] | None = None

    def find_tokens(self, value_keys: Sequence[str]) -> list[str]:
        """Return the tokens; the object or list after each of *value_keys* is one token."""
        if self._tokens is None:
            self._tokens = _find_value_tokens(self.text, value_keys)
        return self._tokens


def infer_template(last: JSONText, text: JSONText, rules: HoleRules, known: Sequence[Hole] = ()) -> JSONTemplate | None:
    """Return the template that two JSON texts in a row share, None if there is none.

    Args:
        last: The text before.
        text: The text.
        rules: The holes that are allowed.
        known: The holes of an earlier template, which stay holes even if these two texts have the same values there.
    """
    before, tokens = last.find_tokens(rules.value_keys), text.find_tokens(rules.value_keys)
    if len(before) != len(tokens):
        return None
    keys = rules.text_keys.union(str(hole.path[-1]) for hole in known)
    places = _find_places(before, tokens, {f'"{key}"' for key in keys})
    if places is None or "".join(tokens) != text.text:
        return None
    try:
        paths = _prove_places(tokens, places)
    except (ResponseDecodeError, RecursionError):
        return None  # a place lies inside a key, or the JSON is nested too deeply
    if paths is None:
        return None
    holes = {at: Hole(path, kind) for (at, kind), path in zip(places.items(), paths, strict=True)}
    accepted = {at: hole for at, hole in holes.items() if rules.accepts(hole)}
    differ = any(before[at] != tokens[at] for at in holes.keys() - accepted.keys())
    return _cut_template(tokens, accepted) if accepted and not differ else None


def _find_value_tokens(text: str, value_keys: Sequence[str]) -> list[str]:
    """Return the tokens of a JSON *text*; the object or list after each of *value_keys* is one token."""
    tokens: list[str] = _find_tokens(text)
    for key in value_keys:
        if f'"{key}"' in tokens and (begin := _value_position(tokens, tokens.index(f'"{key}"'))) is not None:
            end = begin + 1
            depth = int(tokens[begin] in ("{", "["))
            while depth and end < len(tokens):
                depth += (tokens[end] in ("{", "[")) - (tokens[end] in ("}", "]"))
                end += 1
            tokens[begin:end] = ["".join(tokens[begin:end])]
    return tokens


def _value_position(tokens: Sequence[str], key: int) -> int | None:
    """Return the position of the value of the *key* at a position; None if that is not a key."""
    colon = next((at for at in range(key + 1, len(tokens)) if not tokens[at].isspace()), key)
    if tokens[colon] != ":":
        return None
    return next((at for at in range(colon + 1, len(tokens)) if not tokens[at].isspace()), None)


def _find_places(before: Sequence[str], tokens: Sequence[str], keys: set[str]) -> dict[int, HoleKind] | None:
    """Return the positions of the tokens that may be holes, with their kinds; None if the texts differ in more."""
    places: dict[int, HoleKind] = {}
    for at, (old, new) in enumerate(zip(before, tokens, strict=True)):
        if old != new:
            kind = _token_kind(new)
            if kind is None or kind != _token_kind(old):
                return None
            places[at] = kind
        elif new in keys and (value := _value_position(tokens, at)) is not None:
            if (kind := _token_kind(tokens[value])) is not None and tokens[value] != '""':
                places[value] = kind
        elif len(new) > 1 and new[0] in "{[":
            places[at] = "value"
    return dict(sorted(places.items()))


def _token_kind(token: str) -> HoleKind | None:
    if token[0] == '"':
        return "text"
    if len(token) > 1 and token[0] in "{[":
        return "value"
    return "integer" if _is_integer(token) else None


def _prove_places(tokens: Sequence[str], places: dict[int, HoleKind]) -> list[Path] | None:
    """Return the path of each of *places*; None if one of them is not the place of a value that counts."""
    marked, sentinels = list(tokens), {}
    for number, (at, kind) in enumerate(places.items()):
        marked[at] = _SENTINELS[kind] % number
        sentinels[decode_json(marked[at])] = number
    original, found = decode_json("".join(tokens)), decode_json("".join(marked))
    paths: dict[int, Path] = {}
    _find_sentinels(found, (), sentinels, paths)
    if len(paths) != len(places):
        return None
    for path in paths.values():
        reduce(getitem, path[:-1], found)[path[-1]] = reduce(getitem, path, original)
    return [paths[number] for number in range(len(places))] if found == original else None


def _find_sentinels(value: Any, path: Path, sentinels: dict[Any, int], paths: dict[int, Path]) -> None:
    """Add the path of each of *sentinels* in *value* to *paths*."""
    items = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    for key, item in items:
        if type(item) in (dict, list):
            _find_sentinels(item, (*path, key), sentinels, paths)
        elif type(item) in (str, int) and item in sentinels:
            paths[sentinels[item]] = (*path, key)


def _cut_template(tokens: Sequence[str], holes: dict[int, Hole]) -> JSONTemplate:
    """Return the template of *tokens* with *holes* at their positions."""
    pieces, piece = [], ""
    begin = 0
    for at, hole in holes.items():
        mark = '"' if hole.kind == "text" else ""
        pieces.append(f"{piece}{''.join(tokens[begin:at])}{mark}")
        piece, begin = mark, at + 1
    return JSONTemplate((*pieces, piece + "".join(tokens[begin:])), tuple(holes.values()))


@attrs.frozen(eq=False, repr=False)
class RunSplitter:
    """Splits runs of events into the values in their holes.

    Attributes:
        head: The text of an event before its first hole.
        inner: The text between the holes.
        tail: The text of an event after its last hole, the blank line included.
        separator: The text between the last hole of an event and the first of the next.
    """

    head: str
    inner: tuple[str, ...]
    tail: str
    separator: str
    _find_values: Callable[[str], list[Any]]

    @classmethod
    def from_template(cls, template: JSONTemplate, begin: str, end: str) -> RunSplitter:
        """Return the splitter for events that consist of *begin*, the text of *template* and *end*."""
        first, *inner, last = template.pieces
        head, tail = begin + first, last + end
        pattern = _event_pattern(head, inner, tail, [hole.kind for hole in template.holes])
        return cls(head, tuple(inner), tail, tail + head, re.compile(pattern).findall)

    def split_run(self, run: str) -> tuple[Columns, int]:
        """Return the values of the first events in *run*, as long as they are of the template, and where they end.

        Hot: a call for each event would be paid for by every token. The pattern takes values at their distances, and
        what it finds is joined with the pieces: as far as the result equals *run*, every value was found where it is.
        A pattern with the pieces in it would have to be compiled anew for each stream, for their ids differ.
        """
        found = self._find_values(run)
        if self.inner:
            columns: Columns = list(zip(*found))  # noqa: B905 - rows of one pattern
            joined = self._join_columns(columns)
        else:
            columns, joined = [found], self.separator.join(found)
        if f"{self.head}{joined}{self.tail}" == run:
            return columns, len(run)
        equal = _count_equal(f"{self.head}{joined}{self.tail}", run)
        number = run.count(_BLANK_LINE, 0, equal)
        return [column[:number] for column in columns], run.rfind(_BLANK_LINE, 0, equal) + len(_BLANK_LINE)

    def measure_events(self, columns: Columns) -> int:
        """Return the number of characters of the events with the values in *columns*."""
        pieces = len(self.separator) + sum(map(len, self.inner))
        return pieces * len(columns[0]) + sum(sum(map(len, column)) for column in columns)

    def _join_columns(self, columns: Columns) -> str:
        """Return the text of a run between its head and its tail."""
        size, width = len(columns[0]), 2 * len(columns)
        parts = [self.separator] * (width * size)
        for number, column in enumerate(columns):
            parts[2 * number :: width] = column
        for number, piece in enumerate(self.inner):
            parts[2 * number + 1 :: width] = [piece] * size
        parts.pop()
        return "".join(parts)


def _count_equal(left: str, right: str) -> int:
    """Return the number of characters that *left* and *right* begin with alike."""
    equal, rest = 0, min(len(left), len(right))
    while rest:
        half = (rest + 1) // 2
        if left.startswith(right[equal : equal + half], equal):
            equal, rest = equal + half, rest - half
        else:
            rest = half - 1
    return equal


def _event_pattern(head: str, inner: Sequence[str], tail: str, kinds: Sequence[HoleKind]) -> str:
    """Return a pattern that finds values of *kinds* in an event by the lengths of the pieces around them.

    It takes any other line as an event with empty values, because a search for the next event would take long.
    """
    parts = [_skip_piece(head)]
    for kind, after in zip(kinds, (*inner, tail), strict=True):
        parts.append(_VALUE_PATTERNS[kind])
        parts.append(re.escape(after) if kind == "value" else _skip_piece(after))  # an object has no end of its own
    return f"{''.join(parts)}|.*\n+"


def _skip_piece(piece: str) -> str:
    """Return a pattern for any text with as many characters in each line as *piece*."""
    return "\n".join(f".{{{len(line)}}}" if line else "" for line in piece.split("\n"))


def decode_texts(column: Sequence[str]) -> Sequence[str]:
    r"""Return the texts that the JSON strings of *column* stand for, up to the first that is not valid.

    A line feed is not allowed inside a JSON string, so with one before each separator no string can hide the next.
    """
    joined = '"\n,"'.join(column)
    if "\\" not in joined:
        return column
    try:
        return _decode_texts(f'["{joined}"]')
    except (msgspec.DecodeError, UnicodeEncodeError):
        return decode_valid(_decode_text, [f'"{text}"' for text in column])


def decode_integers(column: Sequence[str]) -> Sequence[int]:
    """Return the integers of *column*."""
    return _decode_integers(f"[{','.join(column)}]")


def decode_valid(decode: Callable[[Any], Any], column: Sequence[Any]) -> list[Any]:
    """Return the values of *column*, decoded one by one, up to the first that is not valid."""
    values: list[Any] = []
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        values.extend(map(decode, column))
    return values
