"""A small table-driven validator of JSON values.

Contract: pure. `find_problem` returns the first problem as a sentence that begins with the path of the value. Fields
without a rule are accepted, except in a closed object.
Source: none for the rules' semantics; each table of rules cites its own.

Example: ``find_problem({"n": 0}, Rule(kind="object", fields={"n": Rule(kind="integer", low=1, high=128)}))`` returns
"n must be between 1 and 128, got 0."
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
}


@attrs.frozen(kw_only=True)
class Rule:
    """The constraints on one value.

    Attributes:
        kind: The JSON type.
        nullable: Whether an explicit null is allowed.
        required: Whether the field must be present.
        low: The minimum number, length of a string, or count of members.
        high: The maximum number, length of a string, or count of members.
        choices: The allowed strings; empty for all.
        pattern: A regular expression that the complete string must match.
        fields: The rules of an object's fields.
        closed: Whether an object may have no other fields.
        keys: The rule of an object's keys.
        members: The rule of each item of an array, or of each value of an object.
        either: Alternative rules; the type of the value selects one.
    """

    kind: str = ""
    nullable: bool = False
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    fields: Mapping[str, Rule] = attrs.field(factory=dict)
    closed: bool = False
    keys: Rule | None = None
    members: Rule | None = None
    either: tuple[Rule, ...] = ()


def find_problem(value: Any, rule: Rule, path: str = "") -> str | None:
    """Return the first problem of *value*; None for a valid value."""
    return next(_find_problems(value, rule, path), None)


def _find_problems(value: Any, rule: Rule, path: str) -> Iterator[str]:
    if value is None and rule.nullable:
        return
    if rule.either:
        matching = (option for option in rule.either if _has_type(value, option.kind))
        rule = next(matching, attrs.evolve(rule, kind=""))
    if not _has_type(value, rule.kind):
        kinds = [option.kind for option in rule.either] or [rule.kind]
        expected = " or ".join(f"{'an' if kind[0] in 'aio' else 'a'} {kind}" for kind in kinds)
        yield f"{path or 'The body'} must be {expected}, got {_type_name(value)}."
        return
    for check in (_check_range, _check_string, _check_fields, _check_members):
        yield from check(value, rule, path)


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return kind in _TYPES and isinstance(value, _TYPES[kind])


def _check_range(value: Any, rule: Rule, path: str) -> Iterator[str]:
    size = value if isinstance(value, int | float) else len(value)
    too_low = rule.low is not None and size < rule.low
    too_high = rule.high is not None and size > rule.high
    if too_low or too_high:
        yield f"{path} must {_describe_bounds(rule, counted=size is not value)}, got {size}."


def _check_string(value: Any, rule: Rule, path: str) -> Iterator[str]:
    if rule.choices and value not in rule.choices:
        yield f"{path} must be one of {', '.join(rule.choices)}, got {value!r}."
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield f"{path} must match {rule.pattern}, got {value!r}."


def _check_fields(value: Any, rule: Rule, path: str) -> Iterator[str]:
    for name, inner in rule.fields.items():
        inner_path = f"{path}.{name}" if path else name
        if name in value:
            yield from _find_problems(value[name], inner, inner_path)
        elif inner.required:
            yield f"{inner_path} is required."
    for name in value if rule.closed else ():
        if name not in rule.fields:
            yield f"{path}.{name} is not allowed." if path else f"{name} is not allowed."


def _check_members(value: Any, rule: Rule, path: str) -> Iterator[str]:
    pairs: Iterable[tuple[Any, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value if rule.members else ())
    )
    for key, member in pairs:
        if rule.keys:
            yield from _find_problems(key, rule.keys, f"The key {key!r} of {path}")
        if rule.members:
            yield from _find_problems(member, rule.members, f"{path}[{key!r}]")


def _describe_bounds(rule: Rule, *, counted: bool) -> str:
    verbs = {"string": "have a length of", "array": "have", "object": "have"}
    verb = verbs.get(rule.kind, "be") if counted else "be"
    unit = {"array": " items", "object": " entries"}.get(rule.kind, "")
    if rule.high is None:
        return f"{verb} at least {rule.low:g}{unit}"
    if rule.low is None:
        return f"{verb} at most {rule.high:g}{unit}"
    return f"{verb} between {rule.low:g} and {rule.high:g}{unit}"


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    return next((kind for kind in ("integer", *_TYPES) if _has_type(value, kind)), type(value).__name__)


CrossFieldCheck = Callable[[Mapping[str, Any]], str | None]
