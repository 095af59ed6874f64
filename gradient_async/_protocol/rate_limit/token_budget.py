"""`TokenBudget`: model tokens per rolling minute, from estimates that are corrected when the usage is known.

Contract: pure; times are in seconds on a clock that does not go backwards. Memory is bounded by the number
of requests in a minute.
"""

from __future__ import annotations

import math
from collections import deque

import attrs

__all__ = ["TokenBudget", "TokenSpend"]


@attrs.define(eq=False, repr=False)
class TokenSpend:
    """The tokens of one request, which count from *at*; without end while that is infinite."""

    at: float
    tokens: int


@attrs.define(eq=False, repr=False)
class TokenBudget:
    """At most *capacity* tokens in any *period* seconds, and the guard; a larger request goes alone.

    Attributes:
        capacity: Tokens per period.
        period: Seconds.
        guard: Seconds added to the period.
    """

    capacity: int
    period: float = 60.0
    guard: float = 0.25
    _spent: deque[TokenSpend] = attrs.field(factory=deque, init=False, repr=False)
    _total: int = attrs.field(default=0, init=False)

    def delay(self, now: float, tokens: int) -> float:
        """Return the seconds until *tokens* fit into the budget; 0.0 if they do at *now*."""
        self._forget(now)
        surplus = self._total + min(tokens, self.capacity) - self.capacity
        for spend in self._spent:
            if surplus <= 0:
                break
            surplus -= spend.tokens
            if surplus <= 0:
                return spend.at + self.period + self.guard - now
        return self.period + self.guard if surplus > 0 else 0.0

    def spend(self, now: float, tokens: int, *, hold: bool = False) -> TokenSpend:
        """Count *tokens* from *now*, or, to *hold* them, without end until `sent` or `settle`."""
        self._total += tokens
        if hold:
            return TokenSpend(math.inf, tokens)
        spend = TokenSpend(now, tokens)
        self._spent.append(spend)
        return spend

    def sent(self, spend: TokenSpend, *, now: float) -> TokenSpend:
        """Count what was spent from *now* instead; return what replaces *spend*."""
        tokens = spend.tokens
        self.settle(spend, 0, now=now)
        return self.spend(now, tokens)

    def settle(self, spend: TokenSpend, tokens: int, *, now: float) -> None:
        """Correct *spend* to the *tokens* that were really used."""
        self._forget(now)
        if spend.at + self.period + self.guard > now:
            self._total += tokens - spend.tokens
        spend.tokens = tokens

    def used(self, now: float) -> int:
        """Return the tokens that count at *now*."""
        self._forget(now)
        return self._total

    def rebase(self, shift: float) -> None:
        """Move everything by *shift* seconds: the clock was exchanged."""
        for spend in self._spent:
            spend.at += shift

    def _forget(self, now: float) -> None:
        spent = self._spent
        while spent and spent[0].at + self.period + self.guard <= now:
            self._total -= spent.popleft().tokens
