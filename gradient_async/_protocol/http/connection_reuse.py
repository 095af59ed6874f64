"""The reuse of pooled connections to a host, decided from what happened to those that were reused.

Some servers and proxies close a connection after each response without announcing it. The end may arrive after the next
request was written to the connection, and no look at the socket before can tell. Such a request is lost, and may not be
sent again because a server at work on it would look the same. So one loss is enough: for a while every request to that
host gets a connection of its own, and for twice as long after each further loss.

Contract: pure; time is an argument, in seconds.
"""

from __future__ import annotations

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 3600.0


class ConnectionReuse:
    """Remembers the hosts that lost a reused connection before they responded.

    Attributes:
        pauses: For each such host the end and the length of its last pause.
    """

    def __init__(self) -> None:
        self.pauses: dict[str, tuple[float, float]] = {}

    def record_loss(self, host: str, now: float) -> None:
        """Record that *host* lost a reused connection, and stop reusing its connections for a while.

        Example: losses at 0 s and 61 s stop it until 60 s, and until 181 s.
        """
        ends_at, length = self.pauses.get(host, (now, _FIRST_PAUSE / 2))
        if now >= ends_at:
            length = min(2 * length, _LONGEST_PAUSE)
            self.pauses[host] = now + length, length

    def may_reuse(self, host: str, now: float) -> bool:
        """Whether a pooled connection to *host* may carry a request."""
        return self.pauses.get(host, (now, 0.0))[0] <= now
