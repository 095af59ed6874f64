"""Requests to any path of a host: the path, the query and the body as the caller gives them.

Contract: pure. A request never leaves the host of its key, whatever the path looks like. Every refusal is a
`ConfigurationError` before anything is sent.

Source: RFC 3986 for paths and queries; RFC 7578 and the HTML standard for ``multipart/form-data``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

import attrs

from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async._protocol.http.headers import validate_headers
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import AS_GIVEN, build_post
from gradient_async._protocol.requests.parameters import describe_type, require_mapping
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, quote_argument

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods whose repetition changes nothing (RFC 9110, section 9.2.2)."""
_METHOD = re.compile(r"[A-Z]+")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_CHARACTERS = "/%:@!$&'()*+,;="
_QUERY_CHARACTERS = f"{_PATH_CHARACTERS}?"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_POST_PARAMETERS = (*AS_GIVEN, "stream_options")
"""Names that `build_post` takes out of a body."""


@attrs.frozen(kw_only=True)
class FormPart:
    """One field of a form.

    Attributes:
        name: The name of the field.
        content: Its value.
        filename: The name of a file; None for a value that is text.
        content_type: The type of a file.
    """

    name: str
    content: bytes = attrs.field(repr=False)
    filename: str | None = None
    content_type: str = "application/octet-stream"


@attrs.frozen(kw_only=True)
class RawBody:
    """A body that is not JSON, and its type."""

    content: bytes = attrs.field(repr=False)
    content_type: str


def build_raw_request(
    method: str,
    path: str,
    *,
    json: Any = None,
    body: RawBody | None = None,
    headers: Mapping[str, str] | None = None,
    stream: bool = False,
    timeouts: Timeouts,
) -> Request:
    """Build a request to *path*, which `resolve_path` has made.

    A JSON object that names no ``stream`` asks for one if *stream* is true.

    Raises:
        ConfigurationError: The method or a header is invalid, or *json* has no JSON form.
    """
    method = _require_method(method)
    own = dict(validate_headers(require_mapping("headers", headers), subject="headers")) if headers else {}
    if json is not None and body is not None:
        raise ConfigurationError("Give json= or data=, not both.")
    request = Request(method=method, path=path, body=None, timeouts=timeouts)
    if json is not None:
        request = _build_json_request(path, to_request_json("json", json, keep_nulls=True), timeouts, stream=stream)
    elif body is not None:
        own = {"Content-Type": body.content_type, **own}
        request.body, request.content_type = body.content, None
    request.method = method
    request.headers = own or request.headers
    if any(name.lower() == "content-type" for name in own):
        request.content_type = None
    request.idempotent = method in IDEMPOTENT
    request.stream = stream
    return request


def resolve_path(path: object, base_url: str, params: Mapping[str, Any] | None = None) -> str:
    """Return path and query below *base_url*, in the form of the wire.

    What a path cannot carry is percent-encoded; escapes that are there stay.

    Args:
        path: A path that begins with ``/``, or a whole address that begins with *base_url*.
        base_url: The address of the host, without a trailing ``/``.
        params: Parameters of the query: text, numbers, bools, and lists of them; None is left out.

    Raises:
        ConfigurationError: The path belongs to another host, or is not one.
    """
    text = str(path)
    if not text.isprintable():
        raise ConfigurationError(f"path has a control character in {quote_argument(text)}.")
    if "#" in text:
        raise ConfigurationError("path has a # in it, which ends a path; write it as %23.")
    if not text.startswith("/") or text.startswith("//"):
        text = _remove_base(text, base_url)
    text, _, query = text.partition("?")
    if any(unquote(segment) in (".", "..") for segment in text.replace("\\", "/").split("/")):
        raise ConfigurationError(f"path has a segment . or .. in {quote_argument(text)}, which leads elsewhere.")
    queries = [_escape(query, _QUERY_CHARACTERS), _encode_params(params)]
    joined = "&".join(filter(None, queries))
    return f"{_escape(text, _PATH_CHARACTERS)}{'?' if joined else ''}{joined}"


def encode_form(parts: Iterable[FormPart], boundary: str) -> RawBody:
    """Return *parts* as ``multipart/form-data``; *boundary* is text that none of them contains."""
    mark = f"--{boundary}".encode()
    blocks = [block for part in parts for block in (mark, b"\r\n", _encode_part_head(part), part.content, b"\r\n")]
    return RawBody(
        content=b"".join([*blocks, mark, b"--\r\n"]), content_type=f"multipart/form-data; boundary={boundary}"
    )


def _require_method(method: object) -> str:
    name = method.upper() if isinstance(method, str) else ""
    if not _METHOD.fullmatch(name) or name in ("CONNECT", "TRACE"):
        raise ConfigurationError(f"method must be that of a request, as 'POST'; got {quote_argument(method)}.")
    return name


def _build_json_request(path: str, value: Any, timeouts: Timeouts, *, stream: bool) -> Request:
    """Build the request of a JSON *value*; one with a model is held to the quotas of that model."""
    if not isinstance(value, dict):
        return Request(method="POST", path=path, body=encode_jsonable(value), timeouts=timeouts)
    if stream:
        value = {"stream": True} | value
    request = build_post(
        path, {name: item for name, item in value.items() if name not in _POST_PARAMETERS}, timeouts=timeouts
    )
    request.body = encode_jsonable(value)
    return request


def _remove_base(address: str, base_url: str) -> str:
    """Return the part of *address* below *base_url*, to which alone the key may go."""
    try:
        given, base = urlsplit(address), urlsplit(base_url)
        is_below = _origin(given) == _origin(base) and given.path.startswith(f"{base.path}/")
    except ValueError:
        is_below = False
    if "://" not in address and not address.startswith("//"):
        raise ConfigurationError(f"path must begin with /, as '/v1/models'; got {quote_argument(address)}.")
    if not is_below or given.username is not None:
        raise ConfigurationError(
            f"path is an address outside of {base_url}, where the key must not go; give a path of that host, or use a "
            "session of its own for the other."
        )
    return given.path[len(base.path) :] + (f"?{given.query}" if given.query else "")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _escape(text: str, kept: str) -> str:
    """Percent-encode the characters of *text* outside of *kept*; escapes stay as they are."""
    return quote(_LONE_PERCENT.sub("%25", text), safe=kept)


def _encode_params(params: Mapping[str, Any] | None) -> str:
    if not params:
        return ""
    pairs = [
        (name, _format_param(name, item))
        for name, value in require_mapping("params", params).items()
        for item in (value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value])
        if item is not None
    ]
    return urlencode(pairs, quote_via=quote)


def _format_param(name: object, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigurationError(
        f"params: {quote_argument(name)} must be text, a number or a bool; got {describe_type(value)}."
    )


def _encode_part_head(part: FormPart) -> bytes:
    head = f'Content-Disposition: form-data; name="{_escape_name(part.name)}"'
    if part.filename is not None:
        if not (part.content_type.isprintable() and part.content_type.isascii()):
            raise ConfigurationError(f"data: the type of {quote_argument(part.name)} is not that of a file.")
        head += f'; filename="{_escape_name(part.filename)}"\r\nContent-Type: {part.content_type}'
    return f"{head}\r\n\r\n".encode()


def _escape_name(name: str) -> str:
    """Escape quotation marks and line breaks in a name, as browsers do."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
