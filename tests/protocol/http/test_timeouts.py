"""Time limits: validation, overriding, the shortest one."""

import math
from datetime import timedelta
from typing import Any

import pytest

from gradient_async import ConfigurationError, Timeouts


def test_a_number_overrides_the_total_limit_and_timeouts_override_every_limit() -> None:
    own = Timeouts(connect=1, total=2)
    assert own.override_with(None) is own
    assert own.override_with(5) == Timeouts(connect=1, total=5)
    assert own.override_with(Timeouts(idle=3)) == Timeouts(idle=3)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "5", timedelta(seconds=5)])
def test_a_time_limit_that_is_not_a_number_above_zero_is_refused(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        Timeouts(idle=seconds)
    with pytest.raises(ConfigurationError, match="above 0"):
        Timeouts().override_with(seconds)


@pytest.mark.parametrize(
    ("timeouts", "seconds"),
    [
        (Timeouts(connect=3, first_byte=2, idle=1, total=0.5), 1),
        (Timeouts(connect=3, first_byte=None, idle=None), 3),
        (Timeouts(connect=None, first_byte=None, idle=None), math.inf),
    ],
)
def test_the_shortest_limit_is_that_of_a_phase(timeouts: Timeouts, seconds: float) -> None:
    assert timeouts.shortest == seconds
