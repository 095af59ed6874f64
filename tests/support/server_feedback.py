"""Responses for a `ServerFeedback`, with the headers as keywords."""

from collections.abc import Iterable
from typing import Any

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.model_budgets import ModelBudgets
from gradient_async._protocol.rate_limit.server_feedback import Pauses, ServerFeedback
from gradient_async._protocol.rate_limit.status import WindowStatus
from gradient_async.models.response_meta import RateLimitInfo

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
WALL = 1_700_000_000.0
"""Epoch seconds at the bucket's time 0."""


def make_feedback(
    windows: Iterable[tuple[int, float]] = DOCUMENTED,
    *,
    sent: int = 0,
    guard: float = 0.25,
    tiers: bool = False,
    **options: Any,
) -> ServerFeedback:
    """Return the feedback of a bucket that sent *sent* requests at 0.0."""
    bucket = RollingTokenBucket(windows, guard=guard, **options)
    feedback = ServerFeedback(bucket, ModelBudgets(guard=guard, share=bucket.share), tiers=tiers)
    for _ in range(sent):
        feedback.bucket.reserve(0.0)
    return feedback


def apply_headers(
    feedback: ServerFeedback,
    *,
    status: int = 200,
    now: float = 0.0,
    sent_at: float | None = None,
    skew: float = 0.0,
    chance: float = 0.0,
    model: str = "m",
    **headers: Any,
) -> Pauses:
    """Apply a response that arrives at *now*, from a service with a clock *skew* seconds ahead; return the pauses."""
    headers.setdefault("date", int(WALL + now + skew))
    return feedback.apply_headers(
        RateLimitInfo(**headers),
        model=model,
        status=status,
        sent_at=now if sent_at is None else sent_at,
        now=now,
        wall=WALL + now,
        chance=chance,
    )


def apply_refusal(feedback: ServerFeedback, **headers: Any) -> float:
    """Apply a 429; return the pause of the key."""
    return apply_headers(feedback, status=429, **headers).key


def longest_status(feedback: ServerFeedback, now: float = 0.0) -> WindowStatus:
    """Return the state of the longest window at *now*."""
    return feedback.bucket.describe_windows(now)[-1]
