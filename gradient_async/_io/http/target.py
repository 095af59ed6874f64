"""The destination of a call: host, key, limiter, and what holds for every request there.

Contract: no ``repr`` shows the key. Every call has a target: defining one is cheap, and this module loads no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter
    from gradient_async._protocol.rate_limit.priority_queue import Priority

Headers = tuple[tuple[str, str], ...]


class Target:
    """A host, the key that is valid there, and the limiter of that key.

    Attributes:
        base_url: Origin with path prefix, without a trailing ``/``.
        key: Bearer token.
        limiter: Paces the requests of the key; None to send without waiting.
        headers: Names and values of the session's own headers; a tuple, because it is part of a key.
        priority: Place of the requests at the limiter; ``"bulk"`` is also that of requests that say otherwise.
    """

    __slots__ = ("base_url", "headers", "key", "limiter", "priority")

    def __init__(
        self,
        base_url: str,
        key: str,
        limiter: Limiter | None = None,
        headers: Headers = (),
        priority: Priority = "interactive",
    ) -> None:
        self.base_url = base_url
        self.key = key
        self.limiter = limiter
        self.headers = headers
        self.priority = priority

    def with_limiter(self, limiter: Limiter | None) -> Target:
        """Return this target with another limiter."""
        return Target(self.base_url, self.key, limiter, self.headers, self.priority)

    def with_headers(self, headers: Headers) -> Target:
        """Return this target with *headers* beside its own."""
        return Target(self.base_url, self.key, self.limiter, (*self.headers, *headers), self.priority)
