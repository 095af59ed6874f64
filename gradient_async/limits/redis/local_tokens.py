"""`LocalTokens`: the model tokens of one budget that this process used.

Like the permits, they are a record that no grant may exceed, and while Redis is away, a share of the limit holds.

Contract: pure; times are in seconds on the loop's clock. Memory is bounded by the number of requests in a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradient_async._protocol.rate_limit.token_budget import TokenBudget, TokenSpend

__all__ = ["LocalTokens"]

_MIN_SPENDS = 64


class LocalTokens:
    """Counts the model tokens of this process, by the name of the permit.

    Args:
        limit: Tokens per minute of all processes together.
        share: The fraction of them that this process may use while Redis is away.
        guard: Seconds added to the minute.

    Attributes:
        record: What this process used of the whole limit.
    """

    def __init__(self, limit: int, *, share: float, guard: float) -> None:
        self.record = TokenBudget(limit, guard=guard)
        self._share = TokenBudget(max(1, int(limit * share)), guard=guard)
        self._spends: dict[str, tuple[TokenSpend, TokenSpend]] = {}
        self._max_spends = _MIN_SPENDS

    @property
    def span(self) -> float:
        """Seconds for which tokens count, with the guard."""
        return self.record.period + self.record.guard

    def add_spend(self, name: str, now: float, tokens: int, *, hold: bool) -> None:
        """Count the *tokens* of the permit *name* from *now*; with *hold*, without end."""
        if len(self._spends) >= self._max_spends:
            self._drop_expired(now)
        record, share = self.record, self._share
        self._spends[name] = record.spend_tokens(now, tokens, hold=hold), share.spend_tokens(now, tokens, hold=hold)

    def find_spend(self, name: str) -> TokenSpend | None:
        """Return the tokens of the permit *name* as they were counted first, None if it is unknown."""
        spends = self._spends.get(name)
        return None if spends is None else spends[0]

    def correct_spend(self, name: str, now: float, tokens: int) -> bool:
        """Replace the estimate of the permit *name* by *tokens*; return whether it counts and was another number."""
        spends = self._spends.get(name)
        if spends is None or spends[0].at + self.span <= now or spends[0].tokens == tokens:
            return False
        for budget, spend in zip((self.record, self._share), spends, strict=True):
            budget.correct_spend(spend, tokens, now=now)
        return True

    def remove_spend(self, name: str, now: float) -> None:
        """Count nothing for the permit *name*."""
        self.correct_spend(name, now, 0)
        self._spends.pop(name, None)

    def count_affordable(self, costs: Sequence[int], now: float) -> int:
        """Return how many of the requests that take *costs* tokens the record allows, one after the other."""
        spent, capacity = self.record.count_tokens(now), self.record.capacity
        for number, cost in enumerate(costs):
            if spent + min(cost, capacity) > capacity:
                return number
            spent += cost
        return len(costs)

    def compute_share_delay(self, now: float, tokens: int) -> float:
        """Return the seconds until *tokens* fit into the share of this process."""
        return self._share.compute_delay(now, tokens)

    def _drop_expired(self, now: float) -> None:
        span = self.span
        self._spends = {name: spends for name, spends in self._spends.items() if spends[0].at + span > now}
        self._max_spends = max(_MIN_SPENDS, 2 * len(self._spends))
