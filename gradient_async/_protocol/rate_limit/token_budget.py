"""`TokenBudget`: model tokens per rolling minute, from estimates that are corrected by the reported usage.

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
    """The model tokens of one request.

    Attributes:
        at: Time from which they count; infinite while the request is not sent, which counts without end.
        tokens: Estimated or corrected number of tokens.
    """

    at: float
    tokens: int


@attrs.define(eq=False, repr=False)
class TokenBudget:
    """At most *capacity* tokens in any *period* seconds plus the guard; a larger request is sent alone.

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

    def compute_delay(self, now: float, tokens: int) -> float:
        """Return the seconds until *tokens* fit into the budget; 0.0 if they fit at *now*."""
        self._drop_expired(now)
        surplus = self._total + min(tokens, self.capacity) - self.capacity
        for spend in self._spent:
            if surplus <= 0:
                break
            surplus -= spend.tokens
            if surplus <= 0:
                return spend.at + self.period + self.guard - now
        return self.period + self.guard if surplus > 0 else 0.0

    def spend_tokens(self, now: float, tokens: int, *, hold: bool = False) -> TokenSpend:
        """Count *tokens* from *now*; with *hold*, without end until `restart_spend` or `correct_spend`."""
        self._total += tokens
        if hold:
            return TokenSpend(math.inf, tokens)
        spend = TokenSpend(now, tokens)
        self._spent.append(spend)
        return spend

    def restart_spend(self, spend: TokenSpend, *, now: float) -> TokenSpend:
        """Count the tokens of *spend* from *now* instead; return the spend that replaces it."""
        tokens = spend.tokens
        self.correct_spend(spend, 0, now=now)
        return self.spend_tokens(now, tokens)

    def correct_spend(self, spend: TokenSpend, tokens: int, *, now: float) -> None:
        """Replace the estimate of *spend* by the *tokens* really used."""
        self._drop_expired(now)
        if spend.at + self.period + self.guard > now:
            self._total += tokens - spend.tokens
        spend.tokens = tokens

    def count_tokens(self, now: float) -> int:
        """Return the tokens that count at *now*."""
        self._drop_expired(now)
        return self._total

    def shift_spends(self, shift: float) -> None:
        """Move every spend by *shift* seconds, for a new clock."""
        for spend in self._spent:
            spend.at += shift

    def _drop_expired(self, now: float) -> None:
        spent = self._spent
        while spent and spent[0].at + self.period + self.guard <= now:
            self._total -= spent.popleft().tokens
