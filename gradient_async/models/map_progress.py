"""The progress of a ``map``."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class MapProgress:
    """The progress of a ``map`` at one moment.

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
