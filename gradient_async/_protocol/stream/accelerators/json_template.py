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
   of events is searched for values at the right distances (`event_splitter`). Joined with the pieces, they must give
   the run: then every value was found where it is.

A value is a text (a JSON string without its quotation marks), an integer, or any object or list. Texts and integers
are decoded for a whole run in one call.

Contract: two texts share a template only if every value of the same kind in its holes gives a text with that meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import getitem
from typing import Any, Literal

import attrs

from gradient_async._protocol.codec.converter import decode_json
from gradient_async.errors import ResponseDecodeError

HoleKind = Literal["text", "integer", "value"]
Path = tuple[str | int, ...]

_find_tokens = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s"\[\]{}:,]+|\s+').findall
VALUE_PATTERNS: dict[HoleKind, str] = {
    "text": r'([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)',
    "integer": r"(0|[1-9][0-9]{0,14})",
    "value": r"(.*)",
}
"""Patterns of the values in holes, each in a group."""
_is_integer = re.compile(VALUE_PATTERNS["integer"], re.ASCII).fullmatch
_SENTINELS: dict[HoleKind, str] = {"text": '"sentinel-7d1f-%d"', "integer": "731%012d", "value": '"sentinel-7d1f-%d"'}


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
