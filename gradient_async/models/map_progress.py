"""The progress of a ``map``."""

from __future__ import annotations

import attrs

from gradient_async.models._base import Displayed
from gradient_async.models._texts import format_duration


@attrs.frozen(kw_only=True)
class MapProgress(Displayed):
    """The progress of a ``map`` at one moment; its text is one line for people.

    Attributes:
        total: Number of items; None if the source does not say.
        done: Items that have a result: completed, failed or restored.
        failed: Items of ``done`` that failed.
        restored: Items of ``done`` whose result comes from the checkpoint.
        retried: Additional attempts that calls needed.
        tokens: Tokens billed for the results, without restored ones.
        in_flight: Items that were taken from the source and have no result yet.
        waiting: Requests that wait for the rate limiter.
        limiter_delay: Seconds until the limiter admits the next request; 0 if none waits.
        limit: The limit that it waits for, such as ``250 in 60 s``; empty if none waits.
        elapsed: Seconds since the map began.
        rate: Items a second over the last two minutes, without restored ones.
        seconds_left: Estimated seconds until the last result; None if it cannot be estimated.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    restored: int = 0
    retried: int = 0
    tokens: int = 0
    in_flight: int = 0
    waiting: int = 0
    limiter_delay: float = 0.0
    limit: str = ""
    elapsed: float = 0.0
    rate: float = 0.0
    seconds_left: float | None = None

    def __str__(self) -> str:
        """Return the facts that there are: ``1200 of 20000, 3 failed, 4.1/s, 90000 tokens, 1 h 16 min left``."""
        facts = [f"{self.done}" if self.total is None else f"{self.done} of {self.total}"]
        facts += [f"{self.restored} from the checkpoint"] if self.restored else []
        facts += [f"{self.failed} failed"] if self.failed else []
        facts += [f"{self.retried} retried"] if self.retried else []
        facts += [f"{self.rate:.1f}/s"] if self.rate else []
        facts += [f"{self.tokens} tokens"] if self.tokens else []
        if self.limiter_delay >= 1:
            limit = f" ({self.limit})" if self.limit else ""
            facts.append(f"waiting {self.limiter_delay:.0f} s for the rate limit{limit}")
        facts += [f"{format_duration(self.seconds_left)} left"] if self.seconds_left else []
        return ", ".join(facts)
