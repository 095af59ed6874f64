"""What the storage host may be asked, and what its answers mean.

Contract: pure. An address that the service gives is checked before anything is sent to it. An error shows the
storage host's code, never its text, which quotes the signature.

Source: "Upload a Batch Inference Input File" of the batch inference reference; error codes of S3; RFC 9110 for
ranges.
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

_TRANSIENT = frozenset({408, 425, 429})
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9_.-]{1,64})\s*</Code>")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_STALE_CODES = frozenset({"ExpiredToken", "RequestExpired", "TokenRefreshRequired", "ExpiredPresignRequest"})
_HINTS = {
    "SignatureDoesNotMatch": "If the address was signed for another Content-Type, pass content_type=.",
    "NoSuchKey": "The file is gone; the service keeps results for a limited time.",
    "EntityTooLarge": "The file is larger than the storage host takes.",
}


@attrs.frozen
class UrlPolicy:
    """Where the addresses of the service may point.

    Attributes:
        api_host: The host that the API itself is on.
        allow_insecure: Whether the network is the caller's own, so that anything goes.
    """

    api_host: str
    allow_insecure: bool = False

    def validate_url(self, url: str) -> str:
        """Return *url* as it is.

        Raises:
            ProtocolError: It is no https address of a public host; this machine is allowed when the API is on it.
        """
        problem = self._problem(url)
        if problem is None:
            return url
        raise ProtocolError(f"The service gave an address for a file that {problem}; nothing was sent to it.")

    def _problem(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return "cannot be read"
        if not host or any(ord(c) <= 32 or ord(c) >= 127 for c in url) or parts.username is not None:
            return "is not a plain https:// address"
        if parts.scheme not in ("https", "http"):
            return f"begins with {parts.scheme[:20]!r}"
        if self.allow_insecure:
            return None
        if is_loopback(host):
            return None if is_loopback(self.api_host) else "points to this machine"
        if parts.scheme == "http":
            return f"is not encrypted ({host})"
        return f"points inside a private network ({host})" if _is_inside(host) else None


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def storage_error(status: int, headers: Mapping[str, str], body: bytes, *, doing: str, now: float) -> UploadError:
    """Return the error for an answer of the storage host.

    Args:
        status: Of the answer.
        headers: Of the answer.
        body: The beginning of it.
        doing: ``"upload"`` or ``"download"``.
        now: Epoch seconds, for an answer without a date.
    """
    found = _CODE.search(body)
    code = found[1].decode() if found else None
    reason = f"{status}, {code}" if code else str(status)
    hint = _HINTS.get(code or "", "")
    error = UploadError(f"The storage host refused the {doing} ({reason}). {hint}".strip(), status=status, code=code)
    error.request_id = headers.get("x-amz-request-id")
    error.retry_after = parse_rate_limits(headers, now=now).retry_after
    return error


def needs_new_url(error: GradientError) -> bool:
    """Whether a fresh address may help: the old one has expired, or its signature does not match."""
    return isinstance(error, UploadError) and (error.status in (401, 403) or error.code in _STALE_CODES)


def storage_retry_delay(
    error: GradientError, *, attempt: int, policy: RetryPolicy, chance: float, longest: float | None
) -> float | None:
    """Return the seconds until the next attempt, None to give up. Nothing here is paid for, so all may be repeated.

    Args:
        error: How the attempt failed.
        attempt: Its number, from 1.
        policy: How often and how patiently to try.
        chance: A random number from 0 to 1.
        longest: The most seconds that the host may ask for; None for any.
    """
    if attempt >= policy.attempts or not _may_pass(error):
        return None
    requested = (error.retry_after if isinstance(error, UploadError) else None) or 0.0
    if longest is not None and requested > longest:
        return None
    return backoff_delay(policy, attempt, chance) + requested


def _may_pass(error: GradientError) -> bool:
    if isinstance(error, UploadError):
        return error.status is not None and (error.status in _TRANSIENT or error.status >= 500)
    return isinstance(error, APIConnectionError)


@attrs.frozen
class ContentRange:
    """The part of a file that a response brings: from *start* to the end.

    Attributes:
        total: The size of the whole file; None if the response does not say.
    """

    start: int
    total: int | None


def read_content_range(status: int, headers: Mapping[str, str]) -> ContentRange:
    """Return which part of the file a response with status 200, 206 or 416 brings.

    Raises:
        ProtocolError: It is compressed, or does not say.
    """
    if headers.get("Content-Encoding", "identity").lower() not in ("identity", "aws-chunked", ""):
        raise ProtocolError("The storage host compressed the file although it was asked not to; it cannot be resumed.")
    length = headers.get("Content-Length", "")
    if status == 200:
        return ContentRange(0, int(length) if length.isdecimal() else None)
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None:
        raise ProtocolError("The storage host sent a part of the file without saying which.")
    total = None if found[3] == "*" else int(found[3])
    return ContentRange(total or 0 if found[1] is None else int(found[1]), total)


@attrs.define
class DownloadState:
    """How far the reading of a file has come, whatever connections it takes.

    Attributes:
        offset: Bytes that were handed out.
        total: The size of the file, once it is known.
        tag: Its entity tag: as long as it stays, it is the same file.
    """

    offset: int = 0
    total: int | None = None
    tag: str | None = None
    skip: int = attrs.field(default=0, init=False)
    """Bytes to drop because the host sent the file from its start again."""

    def headers(self) -> dict[str, str]:
        """Return the request headers for the rest of the file."""
        headers = {"Accept-Encoding": "identity"}
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
            if self.tag and not self.tag.startswith("W/"):
                headers["If-Range"] = self.tag
        return headers

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Note the head of a response with status 200, 206 or 416.

        Raises:
            ProtocolError: It is another part, or another file, than the one that was begun.
        """
        span, tag = read_content_range(status, headers), headers.get("ETag")
        other_tag = tag is not None and self.tag is not None and tag != self.tag
        other_size = span.total is not None and self.total is not None and span.total != self.total
        if self.offset and (other_tag or other_size):
            raise ProtocolError("The file changed at the storage host while it was being read; read it again.")
        if span.start > self.offset or (status != 200 and span.start != self.offset):
            raise ProtocolError(f"The storage host sent the file from byte {span.start}, not {self.offset}.")
        self.skip = self.offset - span.start
        self.tag = tag or self.tag
        self.total = span.total if span.total is not None else self.total

    def take(self, block: bytes) -> bytes:
        """Return what of *block* is new.

        Raises:
            ProtocolError: There is more than the file has.
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
        """Whether every byte arrived; a file of unknown size is complete at the end of a whole response."""
        return self.skip == 0 and (self.total is None or self.offset == self.total)


def input_changed_error() -> BatchError:
    """Return the error for an input that was written to after it was checked."""
    return BatchError("The input changed after it was checked; submit it again when nothing writes to it.")
