"""Which headers pass the gateway, in either direction.

Contract: pure. Upstream get only headers that are known to matter there, so that no cookie and no key of a caller
leaves the machine. Callers get every header of the response, except those of the connection.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

SHARED_HEADERS = frozenset({"anthropic-version", "anthropic-beta", "openai-beta"})
"""Headers that are the same for all requests of a caller; part of the cached head of fast posts."""
OWN_HEADERS = frozenset(
    {
        *("idempotency-key", "x-request-id", "x-client-request-id", "range"),
        *("traceparent", "tracestate", "baggage"),
    }
)
"""Headers that differ from request to request."""
_OF_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"),
        *("transfer-encoding", "content-length", "content-encoding", "date", "server", "set-cookie", "alt-svc"),
        *("strict-transport-security", "content-security-policy", "vary", "via"),
    }
)
"""Response headers that describe a connection or an encoding that ends here, or the upstream's own host (RFC 9110)."""
STREAM_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-cache"}
"""Headers of a stream: nginx and caches on the way must not hold it back."""


def pick_headers(headers: Mapping[str, str], names: Container[str]) -> tuple[tuple[str, str], ...]:
    """Return those of *headers* that are in *names*, by lower-case name; the values of a repeated one are joined."""
    picked: dict[str, str] = {}
    for name, value in headers.items():
        if (lower := name.lower()) in names:
            picked[lower] = f"{picked[lower]}, {value}" if lower in picked else value
    return tuple(picked.items())


def list_response_headers(raw_headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return the headers of a response that pass to the caller."""
    pairs = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in raw_headers]
    return [(name, value) for name, value in pairs if name.lower() not in _OF_CONNECTION]
