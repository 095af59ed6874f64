"""What the storage host answers: errors in its XML, and stored objects, whole or in part.

Contract: pure but for reading the object's file. Every answer says its exact length.
Source: the S3 API (GetObject, PutObject, error responses); RFC 9110 section 14 for ranges.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

import attrs

from gradient_async.testing.replies import Answer
from gradient_async.testing.scripting.queue import Failure, to_bytes
from gradient_async.testing.storage.presign import Fault

BLOCK = 65536
XML = "application/xml"

_CODES = {
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    408: "RequestTimeout",
    411: "MissingContentLength",
    416: "InvalidRange",
    500: "InternalError",
    503: "SlowDown",
}
_MESSAGES = {
    403: "Access Denied",
    500: "We encountered an internal error. Please try again.",
    503: "Please reduce your request rate.",
}


@attrs.frozen(kw_only=True)
class Stored:
    """An object: where its bytes are, and what is said about them."""

    path: Path
    size: int
    etag: str
    content_type: str = "application/octet-stream"
    modified: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every answer about it, but for the length."""
        return {
            "ETag": self.etag,
            "Accept-Ranges": "bytes",
            "Last-Modified": formatdate(self.modified, usegmt=True),
        }


def refusal(fault: Fault, request_id: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with *fault* as XML."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{escape(fault.code)}</Code>'
        f"<Message>{escape(fault.message)}</Message><RequestId>{request_id}</RequestId></Error>"
    )
    return _whole(text.encode(), status=fault.status, content_type=XML, headers=headers)


def code(scripted: Failure) -> str:
    """Return the code of a scripted failure."""
    return scripted.code or _CODES.get(scripted.status, "InternalError")


def failure(scripted: Failure, request_id: str) -> Answer:
    """Answer with a scripted failure; as XML, unless it has a body of its own."""
    if scripted.body is not None:
        content_type = scripted.content_type or XML
        body = to_bytes(scripted.body)
        answer = _whole(body, status=scripted.status, content_type=content_type, headers=scripted.headers)
    else:
        message = scripted.message or _MESSAGES.get(scripted.status, code(scripted))
        fault = Fault(status=scripted.status, code=code(scripted), message=message)
        answer = refusal(fault, request_id, scripted.headers)
    return attrs.evolve(answer, delay=scripted.delay)


def verbatim(answer: Answer) -> Answer:
    """Return a scripted *answer* with its length."""
    body = b"".join(answer.pieces) if isinstance(answer.pieces, tuple) else b""
    return attrs.evolve(answer, headers={"Content-Length": str(len(body)), **answer.headers})


def accepted(stored: Stored) -> Answer:
    """Answer that an upload was stored."""
    return _whole(b"", headers={"ETag": stored.etag})


def described(stored: Stored) -> Answer:
    """Answer a HEAD."""
    headers = {**stored.headers, "Content-Length": str(stored.size)}
    return Answer(headers=headers, content_type=stored.content_type)


def content(stored: Stored, wanted: Mapping[str, str], *, request_id: str, cut: int | None = None) -> Answer:
    """Answer a GET with the range that the headers in *wanted* ask for.

    Args:
        stored: The object.
        wanted: The headers of the request.
        request_id: The one of the answer.
        cut: Bytes after which the body ends, whatever the headers promise; None sends them all.
    """
    asked = wanted.get("Range") if wanted.get("If-Range", stored.etag) == stored.etag else None
    span = byte_range(asked, stored.size)
    if span is None:
        fault = Fault(status=416, code="InvalidRange", message="The requested range is not satisfiable")
        return refusal(fault, request_id, {"Content-Range": f"bytes */{stored.size}"})
    length = len(span)
    headers = {**stored.headers, "Content-Length": str(length)}
    if partial := asked is not None and _is_range(asked):
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    pieces = _blocks(stored.path, span.start, length if cut is None else min(cut, length))
    return Answer(
        status=206 if partial else 200,
        pieces=pieces,
        content_type=stored.content_type,
        headers=headers,
        close=pieces.close,
    )


def byte_range(header: str | None, size: int) -> range | None:
    """Return the offsets that a ``Range`` header asks for; None if there are none.

    No header, another unit and several ranges ask for everything.
    """
    found = _is_range(header or "")
    if found is None:
        return range(size)
    first, last = found.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    return range(start, stop) if start < stop else None


def _is_range(header: str) -> re.Match[str] | None:
    return re.fullmatch(r"bytes=(?=.*\d)(\d*)-(\d*)", header)


def _whole(
    body: bytes, *, status: int = 200, content_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    said = {"Content-Length": str(len(body)), **(headers or {})}
    return Answer(status=status, pieces=(body,) if body else (), content_type=content_type, headers=said)


def _blocks(path: Path, start: int, length: int) -> Generator[bytes, None, None]:
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block
