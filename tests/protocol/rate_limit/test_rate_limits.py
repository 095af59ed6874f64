"""`RateLimits` as a value."""

import pickle
from collections.abc import Callable

import pytest

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError


def test_the_defaults_are_the_documented_limits() -> None:
    assert RateLimits() == RateLimits(per_minute=250, per_hour=5000)
    assert RateLimits() == RateLimits(windows=[(250, 60.0), (5000, 3600.0)])


def test_the_order_of_windows_does_not_matter() -> None:
    assert RateLimits(windows=[(200, 12), (50, 3.0)]) == RateLimits(windows=[(50, 3), (200, 12.0)])


def test_none_leaves_a_window_out() -> None:
    assert RateLimits(per_hour=None).windows == ((250, 60.0),)


def test_the_documented_minute_gives_way_to_a_smaller_hour() -> None:
    assert RateLimits(per_hour=100).windows == ((100, 60.0), (100, 3600.0))
    assert type(RateLimits().windows[0][0]) is int


def test_an_announced_hour_brings_its_minute_unless_windows_were_given_one_by_one() -> None:
    assert RateLimits().derives_minute
    assert RateLimits().split(2).derives_minute
    assert not RateLimits(windows=[(250, 60.0), (5000, 3600.0)]).derives_minute


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
        (lambda: RateLimits(windows=[(500, 60.0), (100, 3600.0)]), "lower the first to 100 or less"),
        (lambda: RateLimits(windows=[(5, 1.0), (9, 2.0), (8, 3.0)]), "9 requests in 2 s contradict 8 in 3 s"),
        (lambda: RateLimits(per_minute=250, per_hour=100), "250 requests in 60 s contradict 100 in 3600 s"),
        (lambda: RateLimits(per_hour="many"), "whole number of at least 1"),  # type: ignore[arg-type]  # the subject
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
