"""The rate limits of the service and their response headers.

Contract: pure; the time is an argument. An admitted request counts for one full window; a refused one does not count.
The headers describe the longest window; a refusal by a shorter window is a burst refusal with ``retry-after``.
Source: the Rate Limit section of the Inference API reference. The quotas of models are in `tiers`.

Example: windows of 2 requests in 60 s and 10 in 3600 s, and requests at 0 s, 1 s and 12 s. The third is refused with
``retry-after: 48``, because the first leaves the short window at 60 s.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

DOCUMENTED_WINDOWS = ((250, 60.0), (5000, 3600.0))


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether a request is admitted, and the rate-limit headers of its response."""

    admitted: bool
    headers: Mapping[str, str]


class RateLimit(Protocol):
    """The rate limit of one key."""

    def describe_quota(self, now: float) -> Mapping[str, str]:
        """Return the headers of a response to a request that does not count."""

    def admit_request(self, now: float, *, model: str | None = None, tokens: int = 0) -> Verdict:
        """Admit or refuse a request that arrives at *now*, in epoch seconds.

        Args:
            now: The time.
            model: The model that it names, None if it names none.
            tokens: The tokens of its prompt.
        """


@attrs.define
class _Window:
    capacity: int
    period: float
    _admitted: deque[float] = attrs.field(factory=deque, init=False)

    def count_free(self, now: float) -> int:
        while self._admitted and self._admitted[0] + self.period <= now:
            self._admitted.popleft()
        return self.capacity - len(self._admitted)

    def add_request(self, now: float) -> None:
        self._admitted.append(now)

    def oldest_expires(self, now: float) -> float:
        return self._admitted[0] + self.period if self._admitted else now


@attrs.define
class RollingLimit:
    """Rolling windows; a request is admitted if every window has room.

    Attributes:
        enforced: False counts without refusing. ``ratelimit-remaining`` then stays above zero: the documents promise
            that above zero further requests are admitted.
    """

    _windows: list[_Window]
    enforced: bool = True

    @classmethod
    def from_windows(cls, windows: Sequence[tuple[int, float]], *, scale: float, enforced: bool = True) -> RollingLimit:
        """Build the limit from pairs of requests and seconds; *scale* divides the seconds."""
        ordered = sorted(windows, key=lambda window: window[1])
        return cls([_Window(capacity, period / scale) for capacity, period in ordered], enforced)

    def admit_request(self, now: float, *, model: str | None = None, tokens: int = 0) -> Verdict:  # noqa: ARG002
        """Admit or refuse a request that arrives at *now*, in epoch seconds; its model does not matter."""
        full = [window for window in self._windows if window.count_free(now) <= 0]
        if full and self.enforced:
            headers = self._quota_headers(0, now)
            if full[-1] is not self._windows[-1]:
                headers["retry-after"] = str(math.ceil(full[-1].oldest_expires(now) - now))
            return Verdict(admitted=False, headers=headers)
        for window in self._windows:
            window.add_request(now)
        remaining = self._windows[-1].count_free(now)
        return Verdict(
            admitted=True, headers=self._quota_headers(remaining if self.enforced else max(1, remaining), now)
        )

    def describe_quota(self, now: float) -> Mapping[str, str]:
        """Return the headers of a response to a request that does not count."""
        return self._quota_headers(max(0, self._windows[-1].count_free(now)), now)

    def _quota_headers(self, remaining: int, now: float) -> dict[str, str]:
        longest = self._windows[-1]
        return {
            "ratelimit-limit": str(longest.capacity),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(math.ceil(longest.oldest_expires(now))),
        }
