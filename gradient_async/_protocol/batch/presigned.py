"""Presigned URLs: which are accepted, the type to upload with, and errors of the storage host.

Contract: pure. A URL from the service is validated before anything is sent to it. An error quotes the storage host's
code, never its text, which contains the signature.

Content types of an upload. A URL says whether the type is part of its signature, not which type was signed:

    URL                                   first             after SignatureDoesNotMatch    after that
    X-Amz-SignedHeaders=host              application/jsonl the same                       the same
    X-Amz-SignedHeaders=content-type;host application/jsonl application/octet-stream       none

Source: "Upload a Batch Inference Input File" of the batch inference reference; error codes of S3.
Its text names application/octet-stream, its curl example application/jsonl.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import attrs

from gradient_async._protocol.http.credentials import is_loopback
from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits
from gradient_async._protocol.http.retry import RetryPolicy, backoff_delay
from gradient_async.errors import (
    APIConnectionError,
    BatchError,
    BatchNotReadyError,
    GradientError,
    ProtocolError,
    UploadError,
)

_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9_.-]{1,64})\s*</Code>")
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_HOST_CHARS = 253
_NUMBER = re.compile("0x[0-9a-f]*|[0-9]+")
_EXPIRED_CODES = frozenset({"ExpiredToken", "RequestExpired", "TokenRefreshRequired", "ExpiredPresignRequest"})
CONTENT_TYPES: tuple[str | None, ...] = ("application/jsonl", "application/octet-stream", None)
"""The types to upload with, in order; None sends no type."""

_UNVERSIONED_KEYS = frozenset({"awsaccesskeyid", "googleaccessid"})
"""Parameters of URLs signed before version 4, whose signature always covers the type."""

_HINTS = {
    "SignatureDoesNotMatch": "If the URL was signed for another Content-Type, pass content_type=.",
    "NoSuchKey": "The file is gone; the service keeps results for a limited time.",
    "EntityTooLarge": "The file is larger than the storage host accepts.",
}


_LOW_IPV4_NETWORKS = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""IPv6 networks that have an IPv4 address in their last bits: NAT64 (RFC 6052) and the deprecated compatible form."""


_PRIVATE_SUFFIXES = (
    ".internal", ".local", ".localdomain", ".home.arpa", ".intranet", ".private", ".corp", ".home", ".lan",
)  # fmt: skip
"""Ends of names that only a private network resolves: RFC 6762 and its appendix G, RFC 8375, ICANN on ``.internal``."""


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
        return f"points inside a private network ({host})" if _is_private(host) else None


def _is_host(host: str) -> bool:
    """Whether *host* is an address or a name that can be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None and len(host) <= _MAX_HOST_CHARS
    return True


def _is_private(host: str) -> bool:
    """Whether *host* is an address or a name inside a network, or in a form that only a resolver knows: 127.1."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        is_local_name = "." not in host or host.endswith(_PRIVATE_SUFFIXES)
        return is_local_name or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    return not all(each.is_global and not each.is_multicast for each in (address, *_list_embedded(address)))


def _list_embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 address that a gateway on the way makes of an IPv6 *address*, if it makes one."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.sixtofour] if address.sixtofour is not None else []
    is_low = any(address in network for network in _LOW_IPV4_NETWORKS)
    return found + ([ipaddress.IPv4Address(address.packed[-4:])] if is_low else [])


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


def is_final_refusal(error: GradientError) -> bool:
    """Whether the file of a URL cannot be read, now or later: refused, gone, or at an address that is not allowed."""
    return isinstance(error, UploadError | ProtocolError | BatchNotReadyError) and not _is_transient(error)


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


def signs_content_type(url: str) -> bool:
    """Whether the signature of a presigned *url* covers the ``Content-Type`` of the upload."""
    query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    signed = ";".join(value for name, value in query.items() if name.endswith("-signedheaders"))
    return "content-type" in signed.lower().split(";") or not _UNVERSIONED_KEYS.isdisjoint(query)


def next_content_type(current: str | None, url: str, error: UploadError) -> str | None:
    """Return the type to upload with at the next URL, after *url* refused *current* with *error*."""
    if error.code not in (None, "SignatureDoesNotMatch") or not signs_content_type(url):
        return current
    following = CONTENT_TYPES[CONTENT_TYPES.index(current) + 1 :] if current in CONTENT_TYPES else ()
    return following[0] if following else None


def input_changed_error() -> BatchError:
    """Return the error for an input that was written to after it was checked."""
    return BatchError("The input changed after it was checked; submit it again when nothing writes to it.")
