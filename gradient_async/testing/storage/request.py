"""Requests to the storage host, and their checks before the body is read.

Contract: pure. The signature is the only credential: an Authorization header or a cookie is an error.
Source: the upload section of the Batch Inference reference; the S3 API for the codes.
"""

from __future__ import annotations

from collections.abc import Container

import attrs
from aiohttp import web

from gradient_async.testing.http.server import Connection, new_record
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.storage.presign import S3Error, UrlSigner

_TWO_KEYS = S3Error(
    400,
    "InvalidArgument",
    "Only one auth mechanism allowed; the Authorization header and a presigned query exclude each other.",
)
_COOKIE = S3Error(400, "InvalidRequest", "Cookies have no place in a presigned request.")
_NO_METHOD = S3Error(405, "MethodNotAllowed", "Use PUT, GET or HEAD.")
_NO_LENGTH = S3Error(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
_NO_OBJECT = S3Error(404, "NoSuchKey", "The specified key does not exist.")


@attrs.define(kw_only=True, eq=False)
class StorageRequest(RecordedRequest):
    """A request to the storage host; its body is not kept.

    Attributes:
        target: The request target, verbatim from the request line.
        received: The number of body bytes received.
        error: The S3 code of the error response; None without an error.
    """

    target: str = ""
    received: int = 0
    error: str | None = None


def record_request(http: web.BaseRequest, connection: Connection, now: float) -> StorageRequest:
    """Return the record of *http*; its headers arrived at *now* in epoch seconds."""
    record = new_record(StorageRequest, http, connection, now)
    record.target = http.raw_path
    return record


def check_request(request: StorageRequest, signer: UrlSigner, objects: Container[str]) -> S3Error | None:
    """Return the error of *request*, given the paths of the stored *objects*; None for a valid request."""
    if "Authorization" in request.headers:
        return _TWO_KEYS
    if "Cookie" in request.headers:
        return _COOKIE
    if request.method not in ("PUT", "GET", "HEAD"):
        return _NO_METHOD
    if error := signer.verify_target(request.method, request.target, request.time, request.headers):
        return error
    if request.method == "PUT":
        return None if "Content-Length" in request.headers else _NO_LENGTH
    return None if request.path in objects else _NO_OBJECT
