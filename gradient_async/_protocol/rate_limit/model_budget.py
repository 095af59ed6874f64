"""`ModelBudget`: all quotas of one model for one key.

Contract: pure; times are in seconds on the limiter's clock, ``server_now`` in epoch seconds on the service's.

Source: ``x-ratelimit-*`` headers, which bind the pair of key and model, see `quota_triplets`.

Credit. Whether a request may be sent is asked once for many: after the quotas are brought up to date, their free
tokens are a credit, and as long as it lasts a request costs two comparisons. What was taken is settled with the quotas
when the credit is used up, and with each response.

First flight. The quotas of a model are unknown until its first response. Until then only 10 requests are sent to it;
the number doubles with each second, and after five seconds it is not limited any more. The rest follows as soon as a
response states the quotas, or states none.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from gradient_async._protocol.rate_limit.backoff import RefusalBackoff
from gradient_async._protocol.rate_limit.quota_triplets import (
    PERIODS,
    REQUESTS,
    Triplet,
    find_refusal_wait,
    list_triplets,
)
from gradient_async._protocol.rate_limit.rate_limits import PAUSE, format_limit
from gradient_async.models.response_meta import RateLimitInfo

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.quota import Quota
    from gradient_async._protocol.rate_limit.status import QuotaStatus

__all__ = ["ModelBudget"]

_FIRST_FLIGHT = ((1.0, 10), (2.0, 20), (3.0, 40), (4.0, 80), (5.0, 160))
"""Until how many seconds after the first request how many are sent to a model that has not responded."""
_FORGET_SECONDS = 3600.0
_SETTLE_SECONDS = 0.05
"""Seconds for which held requests may be settled late: less than anybody notices."""
_MAX_SENT, _MIN_PRUNED = 10_000, 64


class ModelBudget:
    """The quotas of one model for one key.

    A request takes one request and its estimated model tokens.

    Attributes:
        guard: Seconds by which requests may overtake each other.
        share: The fraction of the quotas that is ours.
        used_at: When the latest response arrived.
        is_counted: Whether requests are counted: the model has quotas, or none of its responses is known yet.
        paused_until: Until when nothing is sent because of a refusal.
        was_refused: Whether a request was refused, and none that was sent after the pause has succeeded.
        taken: Requests taken since the quotas were settled.
        taken_tokens: Their model tokens.
        credit: Requests that may be taken before the quotas are to be settled.
        credit_tokens: Model tokens, likewise.
    """

    def __init__(self, guard: float, share: float, used_at: float) -> None:
        self.guard = guard
        self.share = share
        self.used_at = used_at
        self.is_counted = True
        self.paused_until = -math.inf
        self.was_refused = False
        self.taken = 0
        self.taken_tokens = 0
        self.credit: float = _FIRST_FLIGHT[0][1]
        self.credit_tokens = math.inf
        self._held = 0
        self._held_tokens = 0
        self._settled_at = -math.inf
        self._quotas: dict[str, Quota] = {}
        self._backoff = RefusalBackoff()
        self._is_answered = False
        self._first_taken_at = math.inf
        self._newest_sent_at = -math.inf
        self._sent_times: list[float] = []
        """Ascending sent times of the requests that the newest response may not have counted."""
        self._sent_tokens: list[int] = [0]
        """Tokens sent before each of `_sent_times`, and in all."""

    # Spending.

    def compute_delay(self, now: float, tokens: int) -> float:
        """Return the seconds until a request with *tokens* may be sent; 0.0 if it may be now."""
        if self.taken < self.credit and self.taken_tokens + tokens <= self.credit_tokens:
            return 0.0
        self._settle(now)
        delay = max(0.0, self.paused_until - now)
        for quota in self._quotas.values():
            delay = max(delay, quota.compute_delay(now, _compute_cost(quota, tokens)))
        return delay if self._is_answered else max(delay, self._compute_flight_delay(now))

    def _compute_flight_delay(self, now: float) -> float:
        """Return the seconds until the first flight has room, or is over."""
        ends = [end for end, room in _FIRST_FLIGHT if self.taken >= room]
        return max(0.0, self._first_taken_at + max(ends) - now) if ends else 0.0

    def count_flight_room(self, now: float) -> float:
        """Return how many more requests the first flight has room for; infinite if it is over."""
        if not self._is_answered:
            self._settle(now)
        return math.inf if self._is_answered else max(0, self.credit - self.taken)

    def take(self, now: float, tokens: int, *, hold: bool) -> None:
        """Count a request with *tokens*, from *now* or, with *hold*, from `start_held`."""
        self.taken += 1
        self.taken_tokens += tokens
        if hold:
            self._held += 1
            self._held_tokens += tokens
        else:
            self._record_request(now, tokens)
        if self._first_taken_at == math.inf:
            self._first_taken_at = now

    def start_held(self, now: float, tokens: int) -> None:
        """Count a held request from *now*: it is being sent."""
        if now - self._settled_at > _SETTLE_SECONDS:
            self._settle(now)
        self._held -= 1
        self._held_tokens -= tokens
        self._record_request(now, tokens)

    def give_back(self, now: float, tokens: int, *, held: bool) -> None:
        """Return the budget of a request that was not sent."""
        if held:
            self._settle(now)
            self._held -= 1
            self._held_tokens -= tokens
        self.taken -= 1
        self.taken_tokens -= tokens

    def correct_tokens(self, estimated: int, used: int) -> None:
        """Replace the *estimated* tokens of a request by those really *used*."""
        self.taken_tokens += used - estimated

    def _record_request(self, now: float, tokens: int) -> None:
        self._sent_times.append(now)
        self._sent_tokens.append(self._sent_tokens[-1] + tokens)
        if len(self._sent_times) > _MAX_SENT:
            self._drop_sent(_MAX_SENT // 2)

    def _settle(self, now: float) -> None:
        """Bring the quotas up to date, and count the credit that they give."""
        requests, tokens = math.inf, math.inf
        for quota in self._quotas.values():
            if quota.kind == REQUESTS:
                quota.settle(now, self.taken, self._held)
                requests = quota.count_free(now)
            else:
                quota.settle(now, self.taken_tokens, self._held_tokens)
                tokens = min(tokens, quota.count_free(now))
        self._settled_at = now
        if not self._is_answered:
            rooms = (room for end, room in _FIRST_FLIGHT if now < self._first_taken_at + end)
            requests = min(rooms, default=math.inf)
            self._is_answered = requests == math.inf
        if self._is_answered:
            self.taken = self.taken_tokens = 0
        self.credit, self.credit_tokens = requests, tokens
        if self.paused_until > now:
            self.credit = 0
        elif self._is_answered and not self._quotas:
            self.is_counted = False

    # Forecasts.

    def find_earliest(self, now: float, ahead: int) -> float:
        """Return when a request may be sent after *ahead* others to this model, without regard to their tokens."""
        self._settle(now)
        requests = self._quotas.get(REQUESTS)
        delay = 0.0 if requests is None else requests.compute_delay(now, 1.0, ahead=ahead)
        return max(now + delay, self.paused_until, *(quota.empty_until for quota in self._quotas.values()))

    def describe_wait(self, now: float, tokens: int, ahead: int) -> tuple[float, str]:
        """Return when a request with *tokens* may be sent after *ahead* others, and the limit that it waits for."""
        self._settle(now)
        waits = [(self.paused_until, PAUSE)]
        if not self._is_answered:
            waits.append((now + self._compute_flight_delay(now), "no response yet"))
        for quota in self._quotas.values():
            delay = quota.compute_delay(now, _compute_cost(quota, tokens), ahead=ahead if quota.kind == REQUESTS else 0)
            waits.append((now + delay, format_limit(quota.limit, quota.period, quota.kind.partition(" ")[0])))
        return max(waits)

    # Responses.

    def apply_headers(
        self, info: RateLimitInfo, *, refused: bool, sent_at: float, now: float, server_now: float
    ) -> None:
        """Update the quotas from the headers of a response to a request sent at *sent_at*."""
        if not self._is_answered:
            self._is_answered, self.taken, self.taken_tokens = True, 0, 0
        elif refused:
            self.taken -= 1  # the service does not count what it refuses
        self._settle(now)
        is_newest = sent_at >= self._newest_sent_at
        for triplet in list_triplets(info):
            self._apply_triplet(triplet, is_newest=is_newest, sent_at=sent_at, now=now, server_now=server_now)
        if is_newest:
            self._newest_sent_at = sent_at
            self._drop_sent(bisect_left(self._sent_times, sent_at - self.guard))
        self.is_counted = self.is_counted or bool(self._quotas)
        self._settle(now)

    def _apply_triplet(
        self, triplet: Triplet, *, is_newest: bool, sent_at: float, now: float, server_now: float
    ) -> None:
        kind, limit, remaining, reset = triplet.kind, triplet.limit, triplet.remaining, triplet.reset
        quota = self._quotas.get(kind)
        if limit == 0:
            return  # a limit of 0 or -1 is written for none
        wait = min(reset - server_now, PERIODS[kind]) if reset and remaining == 0 else 0.0
        if limit is None and (remaining is None or (quota is None and not (remaining and is_newest))):
            if wait > 0.0:  # without a limit or something left, this is a pause and no quota
                self.pause(now + wait)
            return
        if quota is None:
            from gradient_async._protocol.rate_limit.quota import Quota  # many services state none

            quota = self._quotas[kind] = Quota(kind, PERIODS[kind], self.guard, self.share, now)
            quota.held = self._held if kind == REQUESTS else self._held_tokens
            remaining = max(0, (limit or 0) - len(self._sent_times)) if remaining is None else remaining
        if limit is not None:
            quota.apply_limit(limit)
        if remaining is None or not is_newest:
            return
        after, unsure = self._count_sent(kind, sent_at)
        quota.apply_remaining(remaining, age=now - sent_at, sent_after=after, unsure=unsure)
        quota.empty_until = now + wait if wait > 0.0 else -math.inf

    def apply_refusal(
        self, info: RateLimitInfo, *, sent_at: float, now: float, server_now: float, chance: float
    ) -> float:
        """Pause because a quota of this model refused a request; return the seconds, 0.0 for no further pause."""
        wait = find_refusal_wait(info, server_now)
        seconds, self.was_refused = self._backoff.start_pause(wait, sent_at=sent_at, now=now, chance=chance), True
        if seconds:
            self.pause(now + seconds)
        return seconds

    def pause(self, until: float) -> None:
        """Admit no request before *until*; an earlier *until* does not shorten a pause."""
        self.paused_until = max(self.paused_until, until)
        self.credit, self.is_counted = 0, True

    def apply_success(self, sent_at: float) -> None:
        """Forget the refusals before a request that was sent at *sent_at* and succeeded."""
        self.was_refused = not self._backoff.apply_success(sent_at)

    def _count_sent(self, kind: str, sent_at: float) -> tuple[int, int]:
        """Return the requests or tokens sent later than *sent_at*, and those sent at most a guard before or later."""
        times, tokens = self._sent_times, self._sent_tokens
        later, near = bisect_right(times, sent_at), bisect_left(times, sent_at - self.guard)
        if kind == REQUESTS:
            return len(times) - later, max(0, len(times) - near - 1)
        own = tokens[later] - tokens[later - 1] if later else 0
        return tokens[-1] - tokens[later], max(0, tokens[-1] - tokens[near] - own)

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
        return [quota.describe(now) for quota in self.settle_quotas(now)]

    def settle_quotas(self, now: float) -> list[Quota]:
        """Return every known quota, up to date at *now*."""
        self._settle(now)
        return list(self._quotas.values())

    def is_unused(self, now: float) -> bool:
        """Whether nothing is lost if this budget is forgotten: it paces nothing, and was not used for an hour."""
        if self._held or max(self.paused_until, self.used_at + _FORGET_SECONDS) > now:
            return False
        self._settle(now)
        return not any(quota.compute_delay(now, 1.0) for quota in self._quotas.values())

    def shift_times(self, shift: float) -> None:
        """Move every time by *shift* seconds, for a new clock."""
        self.used_at += shift
        self.paused_until += shift
        self._settled_at += shift
        self._first_taken_at += shift
        self._newest_sent_at += shift
        self._backoff.shift_times(shift)
        self._sent_times = [at + shift for at in self._sent_times]
        for quota in self._quotas.values():
            quota.shift_times(shift)


def _compute_cost(quota: Quota, tokens: int) -> float:
    return 1.0 if quota.kind == REQUESTS else max(1.0, tokens)
