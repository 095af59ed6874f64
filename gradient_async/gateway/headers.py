"""Which headers pass the gateway, in either direction.

Contract: pure. Upstream get only headers that are known to matter there, so that no cookie and no key of a caller
leaves the machine. Callers get every header of the response, except those of the connection.
"""

from __future__ import annotations

from collections.abc import Iterable

from multidict import MultiMapping

SHARED_HEADERS = ("anthropic-version", "anthropic-beta", "openai-beta")
"""Headers that are the same for all requests of a caller; part of the cached head of fast posts."""
OWN_HEADERS = (
    *("idempotency-key", "x-request-id", "x-client-request-id", "range"),
    *("traceparent", "tracestate", "baggage"),
)
"""Headers that differ from request to request."""
_OF_CONNECTION = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"upgrade"),
        *(b"transfer-encoding", b"content-length", b"content-encoding", b"date", b"server", b"set-cookie", b"alt-svc"),
        *(b"strict-transport-security", b"content-security-policy", b"vary", b"via"),
    }
)
"""Response headers that describe a connection or an encoding that ends here, or the upstream's own host (RFC 9110)."""
STREAM_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache"}
"""Headers of a stream: nginx and caches on the way must not hold it back."""


def pick_headers(headers: MultiMapping[str], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return those of *headers* that are in *names*; the values of a repeated one are joined."""
    return tuple([(name, ", ".join(headers.getall(name))) for name in names if name in headers])


def list_response_headers(raw_headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return the headers of a response that pass to the caller."""
    return [
        (name.decode("latin-1"), value.decode("utf-8", "replace"))
        for name, value in raw_headers
        if name.lower() not in _OF_CONNECTION
    ]
