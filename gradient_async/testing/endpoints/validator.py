"""A small table-driven validator of JSON values.

Contract: pure; `fault` returns the first thing that is wrong as a sentence that begins with its path, or
None. Fields that a table does not name pass, unless it is closed.
Source: none for the machinery; the tables cite theirs.
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
    """What one value must be.

    Attributes:
        kind: The JSON type.
        nullable: Whether an explicit null is allowed.
        required: Whether the field must be there.
        low: The least number, length or count of members.
        high: The greatest.
        choices: The only strings allowed.
        pattern: What the whole string must match.
        fields: The rules of an object's fields.
        closed: Whether it may have no other.
        keys: The rule of an object's keys.
        members: The rule of each item of an array, or each value of an object.
        either: Rules of which one must hold, chosen by the type of the value.
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


def fault(value: Any, rule: Rule, path: str = "") -> str | None:
    """Return the first fault of *value*, None if there is none."""
    return next(_faults(value, rule, path), None)


def _faults(value: Any, rule: Rule, path: str) -> Iterator[str]:
    if value is None and rule.nullable:
        return
    if rule.either:
        rule = _fitting(value, rule)
    if not _is(value, rule.kind):
        yield f"{path or 'The body'} must be {_article(_kinds(rule))}, got {_name(value)}."
        return
    for check in (_range, _string, _fields, _members):
        yield from check(value, rule, path)


def _fitting(value: Any, rule: Rule) -> Rule:
    fitting = (option for option in rule.either if _is(value, option.kind))
    return next(fitting, attrs.evolve(rule, kind=""))


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return kind in _TYPES and isinstance(value, _TYPES[kind])


def _range(value: Any, rule: Rule, path: str) -> Iterator[str]:
    size = value if isinstance(value, int | float) else len(value)
    low = rule.low is not None and size < rule.low
    high = rule.high is not None and size > rule.high
    if low or high:
        yield f"{path} must {_bounds(rule, counted=size is not value)}, got {size}."


def _string(value: Any, rule: Rule, path: str) -> Iterator[str]:
    if rule.choices and value not in rule.choices:
        yield f"{path} must be one of {', '.join(rule.choices)}, got {value!r}."
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield f"{path} must match {rule.pattern}, got {value!r}."


def _fields(value: Any, rule: Rule, path: str) -> Iterator[str]:
    for name, inner in rule.fields.items():
        where = f"{path}.{name}" if path else name
        if name in value:
            yield from _faults(value[name], inner, where)
        elif inner.required:
            yield f"{where} is required."
    for name in value if rule.closed else ():
        if name not in rule.fields:
            yield f"{path}.{name} is not allowed." if path else f"{name} is not allowed."


def _members(value: Any, rule: Rule, path: str) -> Iterator[str]:
    pairs: Iterable[tuple[Any, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value if rule.members else ())
    )
    for key, member in pairs:
        if rule.keys:
            yield from _faults(key, rule.keys, f"The key {key!r} of {path}")
        if rule.members:
            yield from _faults(member, rule.members, f"{path}[{key!r}]")


def _bounds(rule: Rule, *, counted: bool) -> str:
    verbs = {"string": "have a length of", "array": "have", "object": "have"}
    verb = verbs.get(rule.kind, "be") if counted else "be"
    unit = {"array": " items", "object": " entries"}.get(rule.kind, "")
    if rule.high is None:
        return f"{verb} at least {rule.low:g}{unit}"
    if rule.low is None:
        return f"{verb} at most {rule.high:g}{unit}"
    return f"{verb} between {rule.low:g} and {rule.high:g}{unit}"


def _kinds(rule: Rule) -> tuple[str, ...]:
    return tuple(option.kind for option in rule.either) or (rule.kind,)


def _article(kinds: Iterable[str]) -> str:
    return " or ".join(f"{'an' if kind[0] in 'aio' else 'a'} {kind}" for kind in kinds)


def _name(value: Any) -> str:
    if value is None:
        return "null"
    return next((kind for kind in ("integer", *_TYPES) if _is(value, kind)), type(value).__name__)


Check = Callable[[Mapping[str, Any]], str | None]
