"""The destination of a call: host, key, limiter, and what holds for every request there.

Contract: no ``repr`` shows the key. A session builds a target for its calls, so this module loads nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter
    from gradient_async._protocol.rate_limit.priority_queue import Priority

Headers = tuple[tuple[str, str], ...]


@attrs.frozen(eq=False, repr=False)
class Target:
    """A host, the key that is valid there, and the limiter of that key.

    Attributes:
        base_url: Origin with path prefix, without a trailing ``/``.
        key: Bearer token.
        limiter: Paces the requests of the key; None to send without waiting.
        headers: Names and values of the session's own headers; a tuple, because it is part of a key.
        priority: Place of the requests at the limiter; ``"bulk"`` is also that of requests that say otherwise.
    """

    base_url: str
    key: str = attrs.field(repr=False)
    limiter: Limiter | None = None
    headers: Headers = attrs.field(default=(), repr=False)
    priority: Priority = "interactive"
