"""What a line that is no request of a batch seems to be meant for.

Contract: pure; quotes nothing of the line but a known endpoint or field. Runs for lines with faults, and for the first.

    line                                             meant for
    the beginning of an array, or of an object   one object a line
    a text, or a JSON string                         chat.completions.map
    an object with messages, without body            chat.completions.map
    an object with params, for the provider openai   provider='anthropic', and the other way round
    a url that is a known endpoint                   that endpoint
    an object with response or result                read_results: it is a result
    any other object without body                    a template
    a null that the service refuses                  a file that was written without it
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gradient_async._protocol.batch.api_requests import KNOWN_ENDPOINTS
from gradient_async._protocol.codec.json_text import decode_json
from gradient_async.errors import ResponseDecodeError

FOR_MAP = "This looks like an input of chat.completions.map; with params={'model': ...} it becomes a batch."
FOR_LINES = (
    "This looks like JSON over several lines, or an array; a batch has one object a line: write it with "
    "jq -c '.[]?' FILE, or pass the list that json.load gives."
)
FOR_TEMPLATE = "Rows become requests with params={'model': ...} and template= or columns=."
FOR_READING = "This looks like the results of a batch, not its input."
FOR_ROWS = (
    "Lines have null for {}, as data frames write it, which the service refuses: pass the rows themselves, whose None "
    "is left out, or write the file without it."
)
UNLISTED = "No current document of the service lists batches of /v1/embeddings."

_REFUSED_NULL = re.compile(rb'"(tool_calls|tool_call_id|tools|tool_choice|stop|user)"\s*:\s*null\b')
"""A field that the service wants left out; inside a text the quotes have a backslash before them."""


def find_null_hint(lines: Iterable[bytes]) -> str | None:
    """Return a sentence about the first null in *lines* that the service refuses, None if there is none."""
    found = next(filter(None, map(_REFUSED_NULL.search, lines)), None)
    return FOR_ROWS.format(found[1].decode()) if found else None


def find_hint(line: bytes, provider: str, endpoint: str | None) -> str | None:
    """Return a sentence about a *line* with faults, None if it seems to be meant as it is."""
    start = line.strip()
    if not start.startswith((b"{", b"[")):
        return FOR_MAP
    try:
        value = decode_json(line)
    except ResponseDecodeError:
        return FOR_LINES if start.startswith(b"[") or start == b"{" else None
    if type(value) is list:
        return FOR_LINES
    return _find_object_hint(value, provider, endpoint) if type(value) is dict else None


def _find_object_hint(line: dict[str, Any], provider: str, endpoint: str | None) -> str | None:
    expected, other = ("body", "params") if provider == "openai" else ("params", "body")
    if expected in line:
        return _find_url_hint(line.get("url"), endpoint) if provider == "openai" else None
    if other in line:
        meant = "anthropic" if provider == "openai" else "openai"
        return f"The lines have {other}: pass provider='{meant}'."
    if "response" in line or "result" in line:
        return FOR_READING
    return FOR_MAP if "messages" in line else FOR_TEMPLATE if line.keys() - {"custom_id", "method", "url"} else None


def _find_url_hint(url: object, endpoint: str | None) -> str | None:
    is_other = isinstance(url, str) and url in KNOWN_ENDPOINTS and url != endpoint
    return f"The lines are for another endpoint: pass endpoint='{url}'." if is_other else None
