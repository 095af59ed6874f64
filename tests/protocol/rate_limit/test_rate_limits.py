"""`RateLimits` as a value."""

import pickle
from collections.abc import Callable

import pytest

from gradient_async import AsyncSession
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError


def test_the_defaults_are_the_documented_limits() -> None:
    assert RateLimits() == RateLimits(per_minute=250, per_hour=5000)
    assert RateLimits() == RateLimits(windows=[(250, 60.0), (5000, 3600.0)])


def test_the_order_of_windows_does_not_matter() -> None:
    assert RateLimits(windows=[(200, 12), (50, 3.0)]) == RateLimits(windows=[(50, 3), (200, 12.0)])


def test_none_leaves_a_window_out() -> None:
    assert RateLimits(per_hour=None).windows == ((250, 60.0),)


def test_limits_are_hashable_picklable_and_frozen() -> None:
    limits = RateLimits(tokens_per_minute=9)
    assert len({limits, RateLimits(tokens_per_minute=9), RateLimits()}) == 2
    assert pickle.loads(pickle.dumps(limits)) == limits
    with pytest.raises(AttributeError):
        limits.windows = ()  # type: ignore[misc]  # a frozen class


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RateLimits(per_minute=0), "whole number of at least 1"),
        (lambda: RateLimits(per_hour=-1), "whole number of at least 1"),
        (lambda: RateLimits(per_minute=2.5), "whole number of at least 1"),  # type: ignore[arg-type]  # the subject
        (lambda: RateLimits(per_minute=True), "whole number of at least 1"),
        (lambda: RateLimits(tokens_per_minute=0), "tokens_per_minute is 0"),
        (lambda: RateLimits(None, None), "limits=None"),
        (lambda: RateLimits(windows=[]), "limits=None"),
        (lambda: RateLimits(windows=[(5, 1.0), (6, 1)]), "two windows of 1 s"),
        (lambda: RateLimits(windows=[(5, 0.0)]), "positive, finite"),
        (lambda: RateLimits(windows=[(5, -1.0)]), "positive, finite"),
        (lambda: RateLimits(windows=[(5, float("nan"))]), "positive, finite"),
        (lambda: RateLimits(windows=[(5, float("inf"))]), "positive, finite"),
        (lambda: RateLimits(9, windows=[(5, 1.0)]), "either windows, or"),
        (lambda: RateLimits().split(0), "whole number of at least 1"),
        (lambda: RateLimits().split(251), "RedisLimiter"),
    ],
)
def test_invalid_limits_are_refused_with_advice(make: Callable[[], RateLimits], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_the_parts_of_a_split_never_exceed_the_whole() -> None:
    part = RateLimits(tokens_per_minute=1000).split(3)
    assert part.windows == ((83, 60.0), (1666, 3600.0))
    assert part.tokens_per_minute == 333
    assert part.share == pytest.approx(1 / 3)
    assert RateLimits().split(1) == RateLimits()
    assert RateLimits().split(2).split(5).windows == RateLimits().split(10).windows


@pytest.mark.parametrize(
    "limits",
    [RateLimits(), RateLimits(windows=[(50, 3.0)]), RateLimits(5, None), RateLimits(tokens_per_minute=7)],
)
def test_the_repr_of_limits_evaluates_to_equal_limits(limits: RateLimits) -> None:
    assert eval(repr(limits), {"RateLimits": RateLimits}) == limits


def test_a_session_refuses_a_token_limit() -> None:
    with pytest.raises(ConfigurationError, match="leave tokens_per_minute out"):
        AsyncSession(api_key="test", limits=RateLimits(tokens_per_minute=1000))
