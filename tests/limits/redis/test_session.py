"""Sessions whose limiter Redis refuses: an error that says what to do, before anything is sent to the service."""

import traceback

import pytest

from gradient_async import AsyncSession
from gradient_async.errors import ConfigurationError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.outage import WhenDown
from gradient_async.testing import Emulator
from tests.support.redis_server import run_redis_server

SECRET = "hidden-word"
POLICIES: tuple[WhenDown, ...] = ("local_share", "fail_open", "fail_closed")
REFUSALS = [
    pytest.param(("--requirepass", "another word"), f"redis://:{SECRET}@", r"password.*Correct", id="wrong password"),
    pytest.param(("--requirepass", "another word"), "redis://", r"password.*Correct", id="no password"),
    pytest.param(("--cluster-enabled", "yes"), "redis://", r"slot.*Assign", id="no slot"),
    pytest.param(("--cluster-enabled", "yes"), "redis+cluster://", r"slot.*Assign", id="cluster without the slot"),
    pytest.param(("--rename-command", "EVALSHA", ""), "redis://", r"EVALSHA.*address", id="no scripts"),
    pytest.param(("--databases", "1"), "redis://", r"number in the address", id="no such database"),
    pytest.param((), "redis+cluster://", r"redis://host", id="not a cluster"),
]


@pytest.mark.parametrize("when_down", POLICIES)
@pytest.mark.parametrize(("options", "scheme", "says"), REFUSALS)
async def test_a_limiter_that_is_refused_sends_nothing(
    options: tuple[str, ...], scheme: str, says: str, when_down: WhenDown, gradient_emulator: Emulator
) -> None:
    with run_redis_server(*options) as server:
        database = "/3" if "--databases" in options else ""
        limiter = RedisLimiter(f"{scheme}127.0.0.1:{server.port}{database}", when_down=when_down, timeout=30.0)
        async with AsyncSession("k", base_url=gradient_emulator.url, limits=limiter) as session:
            with pytest.raises(ConfigurationError, match=says) as refusal:
                await session.models.list()
        await limiter.aclose()
    assert not gradient_emulator.requests
    assert SECRET not in "".join(traceback.format_exception(refusal.value))
