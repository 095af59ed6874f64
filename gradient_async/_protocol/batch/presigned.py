"""Presigned URLs: which are accepted, errors of the storage host, and the state of a resumable download.

Contract: pure. A URL from the service is validated before anything is sent to it. An error quotes the storage host's
code, never its text, which contains the signature.

A download survives lost connections and expired URLs because its state is independent of both: the bytes handed out
(*offset*), the size of the file and its ETag. Example, a file of 10 bytes over three connections:

    request                             response                                offset after reading
    GET url                             200, Content-Length: 10, ETag "e"       4, then the connection is lost
    GET url, Range: bytes=4-,           403: the URL has expired                4
             If-Range: "e"
    GET fresh url, Range: bytes=4-,     206, Content-Range: bytes 4-9/10        10: complete
             If-Range: "e"

Other responses to the second request: 200 sends the file from its start, and the first 4 bytes are skipped; 416 with
``bytes */10`` at offset 10 means that everything has arrived; another ETag or size means another file, an error. A
weak ETag cannot stand in If-Range, so the check of ETag and size in the response has to do.

Source: "Upload a Batch Inference Input File" of the batch inference reference; error codes of S3; RFC 9110 section
14 (ranges) and 13.1.5 (If-Range).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs

from gradient_async._protocol.http.credentials import is_loopback
from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits
from gradient_async._protocol.http.retry import RetryPolicy, backoff_delay
from gradient_async.errors import APIConnectionError, BatchError, GradientError, ProtocolError, UploadError

_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9_.-]{1,64})\s*</Code>")
_SIZE = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(rf"bytes (?:({_SIZE.pattern})-({_SIZE.pattern})|\*)/({_SIZE.pattern}|\*)")
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_HOST_CHARS = 253
_NUMBER = re.compile("0x[0-9a-f]*|[0-9]+")
_EXPIRED_CODES = frozenset({"ExpiredToken", "RequestExpired", "TokenRefreshRequired", "ExpiredPresignRequest"})
_HINTS = {
    "SignatureDoesNotMatch": "If the URL was signed for another Content-Type, pass content_type=.",
    "NoSuchKey": "The file is gone; the service keeps results for a limited time.",
    "EntityTooLarge": "The file is larger than the storage host accepts.",
}


@attrs.frozen
class UrlPolicy:
    """The rules for presigned URLs: https to a public host, or loopback when the API itself is on loopback.

    Attributes:
        api_host: The host of the API.
        allow_insecure: Accept any http or https URL; for an API inside the caller's own network.
    """

    api_host: str
    allow_insecure: bool = False

    def validate_url(self, url: str) -> str:
        """Return *url* unchanged if it follows the rules.

        Raises:
            ProtocolError: It breaks one of them. The message does not contain its query.
        """
        problem = self._find_problem(url)
        if problem is None:
            return url
        raise ProtocolError(f"The service returned a file URL that {problem}; nothing was sent to it.")

    def _find_problem(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:  # also of a port that is not a number up to 65535
            return "cannot be parsed"
        if (
            not _is_host(host)
            or port == 0
            or any(ord(c) <= 32 or ord(c) >= 127 for c in url)
            or parts.username is not None
        ):
            return "is not a plain https:// URL"
        if parts.scheme not in ("https", "http"):
            return f"begins with {parts.scheme[:20]!r}"
        if self.allow_insecure:
            return None
        if is_loopback(host):
            return None if is_loopback(self.api_host) else "points to this machine"
        if parts.scheme == "http":
            return f"is not encrypted ({host})"
        return f"points inside a private network ({host})" if _is_private_address(host) else None


def _is_host(host: str) -> bool:
    """Whether *host* is an address or a name that can be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None and len(host) <= _MAX_HOST_CHARS
    return True


def _is_private_address(host: str) -> bool:
    """Whether *host* is an address inside a network, or one in a form that only a resolver understands, as 127.1."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def storage_error(status: int, headers: Mapping[str, str], body: bytes, *, action: str, now: float) -> UploadError:
    """Return the error for an error response of the storage host.

    Args:
        status: The HTTP status.
        headers: The response headers.
        body: The beginning of the response body, for its error code.
        action: ``"upload"`` or ``"download"``.
        now: Epoch seconds, for a ``Retry-After`` date in a response without a ``Date``.
    """
    found = _CODE.search(body)
    code = found[1].decode() if found else None
    reason = f"{status}, {code}" if code else str(status)
    hint = _HINTS.get(code or "", "")
    error = UploadError(f"The storage host refused the {action} ({reason}). {hint}".strip(), status=status, code=code)
    error.request_id = headers.get("x-amz-request-id")
    error.retry_after = parse_rate_limits(headers, now=now, status=status).retry_after
    return error


def needs_new_url(error: GradientError) -> bool:
    """Whether a fresh URL may help: the old one has expired, or its signature does not match."""
    return isinstance(error, UploadError) and (error.status in (401, 403) or error.code in _EXPIRED_CODES)


def storage_retry_delay(
    error: GradientError, *, attempt: int, policy: RetryPolicy, chance: float, longest: float | None
) -> float | None:
    """Return the seconds until the next attempt; None to give up. Storage requests cost nothing, so all are repeated.

    Args:
        error: The failure of the attempt.
        attempt: Number of the attempt, from 1.
        policy: Number of attempts and their backoff.
        chance: A random number from 0 to 1, for jitter.
        longest: Longest ``Retry-After`` in seconds to wait for; None for any.
    """
    if attempt >= policy.attempts or not _is_transient(error):
        return None
    requested = (error.retry_after if isinstance(error, UploadError) else None) or 0.0
    if longest is not None and requested > longest:
        return None
    return backoff_delay(policy, attempt, chance) + requested


def _is_transient(error: GradientError) -> bool:
    if isinstance(error, UploadError):
        return error.status is not None and (error.status in _TRANSIENT_STATUSES or error.status >= 500)
    return isinstance(error, APIConnectionError) and not error.permanent


@attrs.frozen
class ContentRange:
    """The bytes of the file in a response: from *start* to the end of the file.

    Attributes:
        start: Offset of the first byte.
        total: Size of the whole file in bytes; None if the response does not state it.
    """

    start: int
    total: int | None


def read_content_range(status: int, headers: Mapping[str, str]) -> ContentRange:
    """Return the bytes of the file that a response with status 200, 206 or 416 contains.

    Raises:
        ProtocolError: The file is compressed, or its range is not stated.
    """
    if headers.get("Content-Encoding", "identity").lower() not in ("identity", "aws-chunked", ""):
        raise ProtocolError("The storage host compressed the file although it was asked not to; it cannot be resumed.")
    length = headers.get("Content-Length", "")
    if status == 200:
        return ContentRange(0, int(length) if _SIZE.fullmatch(length) else None)
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None:
        raise ProtocolError("The storage host sent a part of the file without a valid Content-Range.")
    total = None if found[3] == "*" else int(found[3])
    return ContentRange(total or 0 if found[1] is None else int(found[1]), total)


@attrs.define
class DownloadState:
    """The progress of a download, over any number of connections and URLs.

    Attributes:
        offset: Number of bytes handed out.
        total: Size of the file in bytes; None until a response states it.
        etag: ETag of the file; another ETag means another file.
        skip: Number of bytes still to drop because the host sent the file from its start again.
    """

    offset: int = 0
    total: int | None = None
    etag: str | None = None
    skip: int = attrs.field(default=0, init=False)

    def request_headers(self) -> dict[str, str]:
        """Return the request headers for the bytes from *offset* on."""
        headers = {"Accept-Encoding": "identity"}
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
            if self.etag and not self.etag.startswith("W/"):
                headers["If-Range"] = self.etag
        return headers

    def start_response(self, status: int, headers: Mapping[str, str]) -> None:
        """Continue with a response of status 200, 206 or 416.

        Raises:
            ProtocolError: The response is of another file, or starts at another byte than *offset*.
        """
        content, etag = read_content_range(status, headers), headers.get("ETag")
        other_etag = etag is not None and self.etag is not None and etag != self.etag
        other_total = content.total is not None and self.total is not None and content.total != self.total
        if self.offset and (other_etag or other_total):
            raise ProtocolError("The file changed at the storage host while it was being read; read it again.")
        if content.start > self.offset or (status != 200 and content.start != self.offset):
            raise ProtocolError(f"The storage host sent the file from byte {content.start}, not {self.offset}.")
        self.skip = self.offset - content.start
        self.etag = etag or self.etag
        self.total = content.total if content.total is not None else self.total

    def accept_block(self, block: bytes) -> bytes:
        """Return the new bytes of *block* and advance *offset*; skipped bytes are dropped.

        Raises:
            ProtocolError: The response has more bytes than the file.
        """
        if self.skip:
            dropped = min(self.skip, len(block))
            self.skip -= dropped
            block = block[dropped:]
        self.offset += len(block)
        if self.total is not None and self.offset > self.total:
            raise ProtocolError("The storage host sent more bytes than the file has.")
        return block

    @property
    def is_complete(self) -> bool:
        """Whether every byte has arrived. A file of unknown size is complete when its response ends."""
        return self.skip == 0 and (self.total is None or self.offset == self.total)


def input_changed_error() -> BatchError:
    """Return the error for an input that was written to after it was checked."""
    return BatchError("The input changed after it was checked; submit it again when nothing writes to it.")
