"""Findings of a probe: the forms of responses without their contents, and the table of them.

Contract: pure. A finding holds names, types, statuses and times; of an error also its ``code`` and ``type``. Keys,
prompts and texts of the service are never part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from gradient_async.cli.probe.exchange import Exchange
from gradient_async.cli.probe.stream_facts import analyse_stream, measure_pace

MAX_CHARS = 400
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,39}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_QUOTA = re.compile(r"ratelimit|retry-after|quota", re.IGNORECASE)
_REQUEST_ID = re.compile(r"request-?id|trace|cf-ray", re.IGNORECASE)
_WIRE = ("server", "via", "transfer-encoding", "content-encoding", "connection", "keep-alive", "cache-control")
_UNSAFE = re.compile(r"[^\x20-\x7e]")


@attrs.frozen
class Finding:
    """The result of one check."""

    check: str
    result: str


def describe_shape(value: Any, depth: int = 4) -> str:
    """Return the names and types in a JSON value, without its texts and numbers."""
    if isinstance(value, dict):
        if depth == 0:
            return "{...}"
        shown = (name if _NAME.fullmatch(name) else "(a name)" for name in value)
        parts = (f"{name}: {describe_shape(item, depth - 1)}" for name, item in zip(shown, value.values(), strict=True))
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return f"[{describe_shape(value[0], depth - 1)}]" if value and depth else "[]" if not value else "[...]"
    names: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "text", type(None): "null"}
    return names[type(value)]


def describe_response(exchange: Exchange) -> str:
    """Return status, type and form of a response, and code and type of an error."""
    if exchange.status is None:
        return f"no response: {exchange.problem}"
    parts = [str(exchange.status), exchange.find_header("content-type") or "no content type"]
    value = exchange.json
    parts += [f"not whole: {exchange.problem}"] if exchange.problem else []
    parts += [f"{name}={code}" for name, code in _list_codes(value)]
    parts.append(describe_shape(value) if value is not None else f"{len(exchange.body)} bytes that are not JSON")
    return "; ".join(parts)


def _list_codes(value: Any) -> Iterator[tuple[str, str]]:
    """Yield code and type of an error, which say more than their types; ``id`` of DigitalOcean's form is a code."""
    if not isinstance(value, dict):
        return
    is_nested = isinstance(value.get("error"), dict)
    fields = value["error"] if is_nested else value if "message" in value else {}
    for name in ("code", "type") if is_nested else ("code", "type", "id"):
        if isinstance(found := fields.get(name), str | int) and _CODE.fullmatch(str(found)):
            yield name, str(found)


def list_headers(exchange: Exchange) -> Iterator[Finding]:
    """Yield the names of the headers by subject."""
    names = [name for name, _ in exchange.headers]
    quotas = [name for name in names if _QUOTA.search(name)]
    ids = [name for name in names if _REQUEST_ID.search(name)]
    wire = [f"{name}: {value[:60]}" for name in _WIRE if (value := exchange.find_header(name)) is not None]
    yield Finding("headers", ", ".join(sorted(names, key=str.lower)) or "none")
    yield Finding("request id", ", ".join(ids) or "none")
    yield Finding("quota headers", ", ".join(quotas) or "none")
    yield Finding("served by", "; ".join(wire) or "nothing says")


def list_stream_findings(exchange: Exchange) -> Iterator[Finding]:
    """Yield the framing, the end and the pace of a stream."""
    if exchange.status != 200 or "json" in (exchange.find_header("content-type") or ""):
        yield Finding("stream", describe_response(exchange))
        return
    facts = analyse_stream(exchange.body)
    first, silence, rest = measure_pace(exchange)
    fields = ", ".join(f"{count} {name or 'comment'}" for name, count in facts.fields.items())
    events = ", ".join(facts.event_names) or "none"
    mark = "; begins with a byte order mark" if facts.has_bom else ""
    yield Finding("stream", f"200; {exchange.find_header('content-type') or 'no content type'}")
    yield Finding(
        "stream framing", f"lines end with {' and '.join(facts.line_ends)}; {fields}; event names: {events}{mark}"
    )
    done = f"[DONE], then {facts.after_done}" if facts.is_done else "no [DONE]"
    finish = "a finish reason" if facts.has_finish else "no finish reason"
    yield Finding("stream end", f"{finish}; usage in {facts.usage}; {done}; {exchange.problem or 'closed cleanly'}")
    yield Finding(
        "stream pace",
        f"{len(exchange.blocks)} blocks; first after {first:.2f} s; longest silence {silence:.2f} s; "
        f"{facts.fields.get('', 0)} comments; body ended {rest:.2f} s after [DONE]",
    )


def format_table(findings: Iterable[Finding], secrets: Iterable[str]) -> str:
    """Return the findings as a Markdown table; *secrets* are blanked out wherever the service repeats them."""
    hidden = [secret for secret in secrets if secret]
    rows = [f"| {finding.check} | {clean_cell(finding.result, hidden)} |" for finding in findings]
    return "\n".join(["| check | result |", "|---|---|", *rows])


def clean_cell(text: str, secrets: Iterable[str]) -> str:
    """Return *text* bounded, without *secrets*, control characters and column separators."""
    for secret in secrets:
        text = text.replace(secret, "(hidden)")
    text = _UNSAFE.sub("?", text).replace("|", "/")
    return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 3]}..."
