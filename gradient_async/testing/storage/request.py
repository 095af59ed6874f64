"""A request to the storage host, and why it is refused before any of its body is read.

Contract: pure. A request needs a good signature and nothing else: an Authorization header or a cookie is an
error here.
Source: the upload section of the Batch Inference reference; the S3 API for the codes.
"""

from __future__ import annotations

import uuid
from collections.abc import Container

import attrs
from aiohttp import web

from gradient_async.testing.http.server import Connection
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.storage.presign import Fault, Signer

_TWO_KEYS = Fault(
    status=400,
    code="InvalidArgument",
    message="Only one auth mechanism allowed; the Authorization header and a presigned query exclude each other.",
)
_COOKIE = Fault(status=400, code="InvalidRequest", message="Cookies have no place in a presigned request.")
_NO_METHOD = Fault(status=405, code="MethodNotAllowed", message="Use PUT, GET or HEAD.")
_NO_LENGTH = Fault(status=411, code="MissingContentLength", message="You must provide the Content-Length HTTP header.")
_NO_OBJECT = Fault(status=404, code="NoSuchKey", message="The specified key does not exist.")


@attrs.define(kw_only=True, eq=False)
class StorageRequest(RecordedRequest):
    """A request to the storage host; its body is not kept.

    Attributes:
        target: The request target, byte for byte as it stood on the request line.
        received: How many bytes of the body arrived.
        error: The code of the error it was answered with; None if it was not.
    """

    target: str = ""
    received: int = 0
    error: str | None = None


def record(http: web.BaseRequest, connection: Connection, now: float) -> StorageRequest:
    """Return the record of *http*, which arrived at *now* in epoch seconds."""
    return StorageRequest(
        method=http.method,
        path=http.path,
        query=dict(http.query),
        headers=http.headers,
        time=now,
        request_id=str(uuid.uuid4()),
        connection=connection.number,
        reused=connection.served > 0,
        target=http.raw_path,
    )


def refusal(request: StorageRequest, signer: Signer, objects: Container[str]) -> Fault | None:
    """Return why *request* is refused, given the paths of the *objects* there are; None if it is not."""
    if "Authorization" in request.headers:
        return _TWO_KEYS
    if "Cookie" in request.headers:
        return _COOKIE
    if request.method not in ("PUT", "GET", "HEAD"):
        return _NO_METHOD
    if fault := signer.fault(request.method, request.target, request.time):
        return fault
    if request.method == "PUT":
        return None if "Content-Length" in request.headers else _NO_LENGTH
    return None if request.path in objects else _NO_OBJECT
