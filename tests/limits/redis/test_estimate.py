"""Forecasts of a limiter over Redis."""

from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.replies import BudgetReply

WINDOWS = [(3, 10.0), (8, 60.0)]
GUARD = 0.25


def run_requests(bucket: RollingTokenBucket, now: float, count: int) -> list[float]:
    """Send *count* requests, each as early as *bucket* allows from *now* on; return when they were sent."""
    times = []
    for _ in range(count):
        while delay := bucket.reserve(now):
            now += delay
        times.append(now)
    return times


@given(
    gaps=st.lists(st.floats(0, 25), max_size=12),
    is_told=st.booleans(),
    others=st.integers(0, 4),
    n=st.integers(1, 20),
)
def test_an_estimate_promises_nothing_earlier_than_one_process_is_served(
    *, gaps: list[float], is_told: bool, others: int, n: int
) -> None:
    limiter, bucket, now = RedisLimiter("redis://", limits=RateLimits(windows=WINDOWS), guard=GUARD), None, 0.0
    bucket = RollingTokenBucket(WINDOWS, guard=GUARD)
    for number, gap in enumerate(gaps):
        now = run_requests(bucket, now + gap, 1)[0]
        limiter._budget.usage.add_permit(str(number), now, hold=False)
    if is_told:
        usage = [(window.used + others, 0) for window in bucket.describe_windows(now)]
        limiter._budget.apply_reply(BudgetReply(False, 0.0, 0.0, 0.0, usage), 1, now, was_clock_set=False)
    limiter._wait_queue.clock = lambda: now
    promised = limiter.estimate(n)
    assert now + promised >= run_requests(bucket, now, n)[-1] - 1e-6
