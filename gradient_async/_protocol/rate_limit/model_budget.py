"""`ModelBudget`: all quotas of one model for one key.

Contract: pure; times are in seconds on the limiter's clock, ``server_now`` in epoch seconds on the service's.

Source: ``x-ratelimit-*`` headers, which bind the pair of key and model, see `quota_triplets`.

First flight. The quotas of a model are unknown until its first response. Until then, and for one second at most, only
60 requests are sent to it: half of what the smallest known tier admits per minute. The rest follows as soon as the
response states the quotas, or states none.
"""

from __future__ import annotations

import math
from bisect import bisect_right

import attrs

from gradient_async._protocol.rate_limit.backoff import RefusalBackoff
from gradient_async._protocol.rate_limit.quota import Quota, QuotaStatus
from gradient_async._protocol.rate_limit.quota_triplets import (
    PERIODS,
    REQUESTS,
    Triplet,
    find_refusal_wait,
    list_triplets,
)
from gradient_async._protocol.rate_limit.wait_details import PAUSE, format_limit
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["ModelBudget", "ModelSpend"]

_FIRST_FLIGHT, _FIRST_FLIGHT_SECONDS = 60, 1.0
_FORGET_SECONDS = 3600.0
_MAX_SENT, _MIN_PRUNED = 10_000, 64


@attrs.define(eq=False, repr=False)
class ModelSpend:
    """The part of the quotas of a model that one request takes.

    Attributes:
        tokens: Model tokens, estimated or corrected.
        held: Whether the request is not sent yet.
    """

    _budget: ModelBudget
    tokens: int
    held: bool
    _charges: list[tuple[Quota, float]]

    def start_held(self, now: float) -> None:
        """Count the request from *now*: it is being sent."""
        if self.held:
            self.held = False
            for quota, cost in self._charges:
                quota.start_held(cost, now)
            self._budget.record_sent(now, self.tokens)

    def give_back(self, now: float) -> None:
        """Return everything: the request was not sent."""
        self._budget.taken -= 1
        for quota, cost in self._charges:
            quota.give_back(cost, now, held=self.held)
        self.held, self._charges = False, []

    def correct_tokens(self, tokens: int, now: float) -> None:
        """Replace the estimate by the *tokens* really used."""
        charges, self._charges, self.tokens = self._charges, [], tokens
        for quota, cost in charges:
            used = _compute_cost(quota, tokens)
            quota.give_back(cost - used, now, held=False)
            self._charges.append((quota, used))


@attrs.define(eq=False, repr=False)
class ModelBudget:
    """The quotas of one model for one key.

    Attributes:
        guard: Seconds by which requests may overtake each other.
        share: The fraction of the quotas that is ours.
        used_at: When the latest response arrived.
        paused_until: Until when nothing is sent because of a refusal.
        binds: Whether a request may have to wait; if not, nothing is counted.
        taken: Requests of the first flight.
    """

    guard: float
    share: float
    used_at: float
    paused_until: float = attrs.field(default=-math.inf, init=False)
    binds: bool = attrs.field(default=True, init=False)
    taken: int = attrs.field(default=0, init=False)
    _quotas: dict[str, Quota] = attrs.field(factory=dict, init=False)
    _backoff: RefusalBackoff = attrs.field(factory=RefusalBackoff, init=False)
    _answered: bool = attrs.field(default=False, init=False)
    _flight_began_at: float = attrs.field(default=-math.inf, init=False)
    _newest_sent_at: float = attrs.field(default=-math.inf, init=False)
    _sent_times: list[float] = attrs.field(factory=list, init=False)
    """Ascending sent times of the requests that the newest response may not have counted."""
    _sent_tokens: list[int] = attrs.field(factory=lambda: [0], init=False)
    """Tokens sent before each of `_sent_times`, and in all."""

    # Spending.

    def compute_delay(self, now: float, tokens: int) -> float:
        """Return the seconds until a request with *tokens* may be sent; 0.0 if it may be now."""
        delay = self.paused_until - now
        if not self._answered:
            delay = max(delay, self._compute_flight_delay(now))
        for quota in self._quotas.values():
            delay = max(delay, quota.compute_delay(now, _compute_cost(quota, tokens)))
        if delay > 0.0:
            return delay
        self.binds = bool(self._quotas) or not self._answered
        return 0.0

    def _compute_flight_delay(self, now: float) -> float:
        if self.taken < _FIRST_FLIGHT:
            return 0.0
        delay = self._flight_began_at + _FIRST_FLIGHT_SECONDS - now
        self._answered = delay <= 0.0
        return min(delay, _FIRST_FLIGHT_SECONDS)

    def take(self, now: float, tokens: int, *, hold: bool) -> ModelSpend:
        """Count a request with *tokens*, from *now* or, with *hold*, from `ModelSpend.start_held`."""
        charges = [(quota, _compute_cost(quota, tokens)) for quota in self._quotas.values()]
        for quota, cost in charges:
            quota.take(cost, hold=hold)
        if not self.taken:
            self._flight_began_at = now
        self.taken += 1
        if not hold:
            self.record_sent(now, tokens)
        return ModelSpend(self, tokens, hold, charges)

    def record_sent(self, now: float, tokens: int) -> None:
        """Remember that a request with *tokens* was sent at *now*, until a response to a later one arrives."""
        self._sent_times.append(now)
        self._sent_tokens.append(self._sent_tokens[-1] + tokens)
        if len(self._sent_times) > _MAX_SENT:
            self._drop_sent(_MAX_SENT // 2)

    def find_earliest(self, now: float, ahead: int) -> float:
        """Return when a request may be sent after *ahead* others to this model, without regard to their tokens."""
        requests = self._quotas.get(REQUESTS)
        return max(now, self.paused_until, requests.find_earliest(now, ahead) if requests else now)

    def describe_wait(self, now: float, tokens: int, ahead: int) -> tuple[float, str]:
        """Return when a request with *tokens* may be sent after *ahead* others, and the limit that it waits for."""
        waits = [(self.paused_until, PAUSE)]
        if not self._answered:
            waits.append((now + self._compute_flight_delay(now), "no response yet"))
        for quota in self._quotas.values():
            at = now + quota.compute_delay(now, _compute_cost(quota, tokens))
            at = max(at, quota.find_earliest(now, ahead)) if quota.kind == REQUESTS else at
            waits.append((at, format_limit(quota.limit, quota.period, quota.kind.partition(" ")[0])))
        return max(waits)

    # Responses.

    def apply_headers(
        self, info: RateLimitInfo, *, refused: bool, sent_at: float, now: float, server_now: float
    ) -> None:
        """Update the quotas from the headers of a response to a request sent at *sent_at*."""
        self.used_at, self._answered = now, True
        requests = self._quotas.get(REQUESTS)
        if refused and requests is not None:
            requests.give_back(1.0, now, held=False)  # the service does not count what it refuses
        is_newest = sent_at >= self._newest_sent_at
        for triplet in list_triplets(info):
            self._apply_triplet(triplet, is_newest=is_newest, sent_at=sent_at, now=now, server_now=server_now)
        if is_newest:
            self._newest_sent_at = sent_at
            self._drop_sent(bisect_right(self._sent_times, sent_at - self.guard))
        self.binds = bool(self._quotas) or self.paused_until > now

    def _apply_triplet(
        self, triplet: Triplet, *, is_newest: bool, sent_at: float, now: float, server_now: float
    ) -> None:
        kind, limit, remaining, reset = triplet
        quota = self._quotas.get(kind)
        if limit is None and remaining is None:
            return
        if quota is None:
            quota = self._quotas[kind] = Quota(kind, PERIODS[kind], self.guard, self.share, updated_at=now)
            remaining = max(0, (limit or 0) - len(self._sent_times)) if remaining is None else remaining
        if limit is not None:
            quota.apply_limit(limit, now)
        if remaining is None or not is_newest:
            return
        after, unsure = self._count_sent(kind, sent_at)
        quota.apply_remaining(remaining, now=now, age=now - sent_at, sent_after=after, unsure=unsure)
        wait = min(reset - server_now, quota.period) if reset and not remaining else 0.0
        quota.empty_until = now + wait if wait > 0.0 else -math.inf

    def apply_refusal(
        self, info: RateLimitInfo, *, sent_at: float, now: float, server_now: float, chance: float
    ) -> float:
        """Pause because a quota of this model refused a request; return the seconds, 0.0 for no further pause."""
        wait = find_refusal_wait(info, server_now)
        seconds = self._backoff.start_pause(wait, sent_at=sent_at, now=now, chance=chance)
        self.paused_until = max(self.paused_until, now + seconds) if seconds else self.paused_until
        self.binds = True
        return seconds

    def apply_success(self, sent_at: float) -> None:
        """Forget the refusals before a request that was sent at *sent_at* and succeeded."""
        self._backoff.apply_success(sent_at)

    def _count_sent(self, kind: str, sent_at: float) -> tuple[float, float]:
        """Return the requests, or the tokens, sent later than *sent_at*, and those at most a guard earlier or later."""
        later, near = (bisect_right(self._sent_times, at) for at in (sent_at, sent_at - self.guard))
        if kind == REQUESTS:
            return len(self._sent_times) - later, max(0, len(self._sent_times) - near - 1)
        total, before = self._sent_tokens[-1], self._sent_tokens[max(0, later - 1)]
        own = self._sent_tokens[later] - before
        return total - self._sent_tokens[later], max(0, total - self._sent_tokens[near] - own)

    def _drop_sent(self, count: int) -> None:
        if count >= _MIN_PRUNED:
            del self._sent_times[:count], self._sent_tokens[:count]

    # Status.

    @property
    def requests_per_minute(self) -> int:
        """The announced limit of requests, 0 if none is known."""
        requests = self._quotas.get(REQUESTS)
        return requests.limit if requests else 0

    def list_quotas(self, now: float) -> list[QuotaStatus]:
        """Return the state of every known quota at *now*."""
        return [quota.describe(now) for quota in self._quotas.values()]

    def is_unused(self, now: float) -> bool:
        """Whether nothing is lost if this budget is forgotten: it paces nothing, and was not used for an hour."""
        is_busy = any(quota.held or quota.compute_delay(now, 1.0) for quota in self._quotas.values())
        return not is_busy and max(self.paused_until, self.used_at + _FORGET_SECONDS) <= now

    def shift_times(self, shift: float) -> None:
        """Move every time by *shift* seconds, for a new clock."""
        self.used_at += shift
        self.paused_until += shift
        self._flight_began_at += shift
        self._newest_sent_at += shift
        self._backoff.shift_times(shift)
        self._sent_times = [at + shift for at in self._sent_times]
        for quota in self._quotas.values():
            quota.shift_times(shift)


def _compute_cost(quota: Quota, tokens: int) -> float:
    return 1.0 if quota.kind == REQUESTS else max(1.0, tokens)
