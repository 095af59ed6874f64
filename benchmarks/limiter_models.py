"""Two saturated hours of three models and two agents, in virtual time, against a model of the service.

Each model and each agent has more senders than its quota admits. The service counts rolling windows for each key and
refilling quotas for each model. The optimum is what it would admit at most: of the key's windows, or of the quotas of
its models, whichever is less.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Sequence
from typing import Any

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._io.rate_limit.permit import Limiter
from gradient_async.models.response_meta import RateLimitInfo

SECONDS, LATENCY = 7200, 0.24
BURST = 1.25
AGENTS = ("first agent", "second agent")
SENDERS = 40
"""Tasks of each model and agent."""

Admits = Callable[[float], bool]


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self) -> None:
        self._now, self._real = 0.0, selectors.DefaultSelector()
        self._select = self._real.select
        self._real.select = self._jump  # type: ignore[method-assign]  # the loop's only wait
        super().__init__(self._real)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def _jump(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("no timer is left to jump to")
        self._now += timeout
        return self._select(0)


class Quota:
    """The requests of a model: a bucket that refills continuously."""

    def __init__(self, limit: int) -> None:
        self.limit, self.capacity = limit, limit * BURST
        self.level, self.updated_at = self.capacity, 0.0

    def admits(self, at: float) -> bool:
        """Whether a request that arrives at *at* is admitted; if so, count it."""
        self.level = min(self.capacity, self.level + (at - self.updated_at) * self.limit / 60)
        self.updated_at = at
        if self.level < 1:
            return False
        self.level -= 1
        return True

    @property
    def optimum(self) -> float:
        """Requests that are admitted at most."""
        return self.capacity + self.limit * SECONDS / 60

    def headers(self) -> dict[str, int]:
        """Return the headers of the quota, as fields of `RateLimitInfo`."""
        return {"limit_requests": self.limit, "remaining_requests": int(self.level), "reset_requests": 0}


class Sending:
    """The requests of one key: counts what is sent, admitted and refused."""

    def __init__(self, limiter: Limiter, key_admits: Admits, quotas: dict[str, Quota]) -> None:
        self.limiter, self.key_admits, self.quotas = limiter, key_admits, quotas
        self.sent = self.admitted = 0
        self._chance = random.Random(7)

    async def send_saturated(self, model: str | None) -> None:
        """Send one request after the other to *model* for two hours."""
        time = asyncio.get_running_loop().time
        while True:
            permit = await self.limiter.acquire(model=model, hold=True)
            if time() >= SECONDS:
                return
            sent_at = permit.sent()
            await asyncio.sleep(self._chance.uniform(0, LATENCY))
            status, headers = self._receive(model, time())
            await asyncio.sleep(self._chance.uniform(0, 1))
            self.limiter.apply_response(RateLimitInfo(**headers), status=status, sent_at=sent_at, model=model)

    def _receive(self, model: str | None, at: float) -> tuple[int, dict[str, Any]]:
        self.sent += 1
        quota = self.quotas.get(model or "")
        if quota is not None and not quota.admits(at):
            return 429, quota.headers()
        if not self.key_admits(at):
            return 429, {"limit": 5000, "remaining": 0}
        self.admitted += 1
        return 200, {} if quota is None else quota.headers()


async def _simulate(tiers: dict[str, int], new_service: Callable[[], Admits]) -> list[Sending]:
    limiter = RateLimiter()
    key = Sending(limiter, new_service(), {model: Quota(limit) for model, limit in tiers.items()})
    agents = [Sending(limiter.new_for_key(name), new_service(), {}) for name in AGENTS]
    senders: list[tuple[Sending, Sequence[str | None]]] = [(key, list(tiers)), *((agent, [None]) for agent in agents)]
    tasks = [
        asyncio.ensure_future(sending.send_saturated(model))
        for sending, models in senders
        for model in models
        for _ in range(SENDERS)
    ]
    await asyncio.sleep(SECONDS + 10)
    for task in tasks:
        task.cancel()
    return [key, *agents]


def simulate_models(tiers: dict[str, int], new_service: Callable[[], Admits], hourly: int) -> dict[str, float]:
    """Return what was sent, refused, and used and left of the optimum by the key that was used least.

    Args:
        tiers: Requests per minute of each model.
        new_service: Returns the windows of a new key.
        hourly: Requests per hour that they admit.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        key, *agents = runner.run(_simulate(tiers, new_service))
    windows = hourly * SECONDS / 3600
    of_models = sum(quota.optimum for quota in key.quotas.values())
    used = min(key.admitted / min(windows, of_models), *(agent.admitted / windows for agent in agents))
    sent = sum(sending.sent for sending in (key, *agents))
    refused = sent - sum(sending.admitted for sending in (key, *agents))
    return {"sent": sent, "refused": refused, "used": used, "unused": 1 - used}
