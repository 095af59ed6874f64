"""The responses of the storage host: errors as XML, and stored objects or ranges of them.

Contract: pure except for reading the object's file. Every response has a ``Content-Length``.
Source: the S3 API (GetObject, PutObject, error responses); RFC 9110 section 14 for ranges.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

import attrs

from gradient_async.testing.replies import Response
from gradient_async.testing.scripting.queue import Failure, encode_body
from gradient_async.testing.storage.presign import S3Error

_BLOCK_SIZE = 65536
_XML = "application/xml"

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
class StoredObject:
    """A stored object: the path of its file, and its metadata.

    Attributes:
        path: The file.
        size: The size in bytes.
        etag: The entity tag, with its quotes.
        content_type: The content type.
        modified: The time of storage in epoch seconds.
        content_encoding: The ``Content-Encoding`` it was stored with, which every response repeats; None for none.
    """

    path: Path
    size: int
    etag: str
    content_type: str = "application/octet-stream"
    modified: float = 0.0
    content_encoding: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the object, without the length."""
        return {
            "ETag": self.etag,
            "Accept-Ranges": "bytes",
            "Last-Modified": formatdate(self.modified, usegmt=True),
            **({"Content-Encoding": self.content_encoding} if self.content_encoding else {}),
        }


def s3_error_response(error: S3Error, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """Build the XML response of *error*."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message><RequestId>{request_id}</RequestId></Error>"
    )
    return _full_response(text.encode(), status=error.status, content_type=_XML, headers=headers)


def failure_code(scripted: Failure) -> str:
    """Return the S3 code of a scripted failure."""
    return scripted.code or _CODES.get(scripted.status, "InternalError")


def failure_response(scripted: Failure, request_id: str) -> Response:
    """Build the response of a scripted failure: its body, else an XML error."""
    if scripted.body is not None:
        content_type = scripted.content_type or _XML
        body = encode_body(scripted.body)
        response = _full_response(body, status=scripted.status, content_type=content_type, headers=scripted.headers)
    else:
        message = scripted.message or _MESSAGES.get(scripted.status, failure_code(scripted))
        error = S3Error(scripted.status, failure_code(scripted), message)
        response = s3_error_response(error, request_id, scripted.headers)
    return attrs.evolve(response, delay=scripted.delay)


def with_content_length(response: Response) -> Response:
    """Return *response* with its ``Content-Length``."""
    body = b"".join(response.pieces) if isinstance(response.pieces, tuple) else b""
    return attrs.evolve(response, headers={"Content-Length": str(len(body)), **response.headers})


def upload_response(stored: StoredObject) -> Response:
    """Build the response to a complete PUT."""
    return _full_response(b"", headers={"ETag": stored.etag})


def head_response(stored: StoredObject) -> Response:
    """Build the response to a HEAD."""
    headers = {**stored.headers, "Content-Length": str(stored.size)}
    return Response(headers=headers, content_type=stored.content_type)


def download_response(
    stored: StoredObject,
    request_headers: Mapping[str, str],
    *,
    request_id: str,
    limit: int | None = None,
    states_size: bool = True,
) -> Response:
    """Build the response to a GET: the object, or the range that the request headers ask for.

    Args:
        stored: The object.
        request_headers: The headers of the request.
        request_id: The request id, for an error.
        limit: The number of body bytes to send, fewer than the headers promise; None for all.
        states_size: Whether the response to a range beyond the object states its size, as hosts should and many do not.
    """
    header = request_headers.get("Range") if request_headers.get("If-Range", stored.etag) == stored.etag else None
    span = parse_range(header, stored.size)
    if span is None:
        error = S3Error(416, "InvalidRange", "The requested range is not satisfiable")
        size = {"Content-Range": f"bytes */{stored.size}"} if states_size else None
        return s3_error_response(error, request_id, size)
    length = len(span)
    headers = {**stored.headers, "Content-Length": str(length)}
    if partial := header is not None and _match_range(header):
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{stored.size}"
    pieces = _read_blocks(stored.path, span.start, length if limit is None else min(limit, length))
    return Response(
        status=206 if partial else 200,
        pieces=pieces,
        content_type=stored.content_type,
        headers=headers,
        close=pieces.close,
    )


def parse_range(header: str | None, size: int) -> range | None:
    """Return the offsets of a ``Range`` header; None for an unsatisfiable range.

    No header, another unit and multiple ranges give the complete object: ``"bytes=2-3"`` of 10 bytes is
    ``range(2, 4)``, ``"bytes=-3"`` is ``range(7, 10)``, ``"bytes=10-"`` is None.
    """
    match = _match_range(header or "")
    if match is None:
        return range(size)
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    return range(start, stop) if start < stop else None


def _match_range(header: str) -> re.Match[str] | None:
    return re.fullmatch(r"bytes=(?=.*\d)(\d*)-(\d*)", header)


def _full_response(
    body: bytes, *, status: int = 200, content_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    all_headers = {"Content-Length": str(len(body)), **(headers or {})}
    return Response(status=status, pieces=(body,) if body else (), content_type=content_type, headers=all_headers)


def _read_blocks(path: Path, start: int, length: int) -> Generator[bytes, None, None]:
    with path.open("rb") as file:
        file.seek(start)
        while length > 0 and (block := file.read(min(_BLOCK_SIZE, length))):
            length -= len(block)
            yield block
