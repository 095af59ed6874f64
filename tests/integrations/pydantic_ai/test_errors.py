"""Errors of a session as errors of Pydantic AI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from pydantic_ai.models.fallback import FallbackModel

from gradient_async import (
    APIStatusError,
    AsyncSession,
    ConfigurationError,
    RateLimits,
    ResponseDecodeError,
    RetryPolicy,
    StreamTruncatedError,
)
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.pydantic_ai import LONG, M, ignore_events, request_body


def iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "ModelRequestRejectedError"), (401, "ModelAuthenticationError"), (402, "ModelQuotaExceededError"),
        (403, "ModelAuthenticationError"), (404, "ModelNotFoundError"), (409, "ModelHTTPError"),
        (422, "ModelRequestRejectedError"), (429, "ModelRateLimitError"), (500, "ModelServerError"),
        (503, "ModelUnavailableError"),
    ],
)  # fmt: skip
async def test_an_error_status_is_an_http_error_of_its_category(
    gradient_emulator: Emulator, single_attempt_model: GradientModel, status: int, kind: str, streams: bool
) -> None:
    gradient_emulator.fail(status=status, message="No.")
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(single_attempt_model).run("Hi", event_stream_handler=ignore_events if streams else None)
    error = caught.value
    assert type(error).__name__ == kind
    assert (error.status_code, error.model_name, error.in_stream) == (status, M, False)
    assert isinstance(error.body, dict)
    assert error.body["message"] == "No."
    assert error.body["request_id"] == gradient_emulator.requests[0].request_id
    assert isinstance(error.__cause__, APIStatusError)


async def test_a_rate_limit_error_has_retry_after(
    gradient_emulator: Emulator, single_attempt_model: GradientModel
) -> None:
    gradient_emulator.fail(status=429, retry_after=7)
    with pytest.raises(ModelRateLimitError) as caught:
        await Agent(single_attempt_model).run("Hi")
    assert caught.value.retry_after == 7


async def test_an_error_inside_a_stream_is_an_http_error(
    gradient_emulator: Emulator, single_attempt_model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.fail(status=429, after=2)
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(single_attempt_model).run("Hi", event_stream_handler=ignore_events)
    assert (caught.value.status_code, caught.value.in_stream) == (429, True)


async def test_a_truncated_stream_is_a_connection_error_with_the_partial_text(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.truncate(after=3)
    texts = []
    with pytest.raises(ModelConnectionError) as caught:
        async with Agent(model).run_stream("Hi") as result:
            async for text in result.stream_text(delta=True, debounce_by=None):
                texts.append(text)
    assert (caught.value.phase, caught.value.in_stream) == ("read", True)
    ours = caught.value.__cause__
    assert isinstance(ours, StreamTruncatedError)
    assert ours.snapshot is not None
    assert ours.snapshot.text == "".join(texts) != ""
    assert result.response.state == "incomplete"
    assert result.response.provider_details == {"request_id": gradient_emulator.requests[0].request_id}
    assert count_acquired(gradient_session) == 0


async def test_a_refused_connection_fails_in_the_connect_phase(single_attempt_model: GradientModel) -> None:
    async with AsyncSession("test", base_url="http://127.0.0.1:1", retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(ModelConnectionError) as caught:
            await Agent(GradientModel(M, session=session)).run("Hi")
    assert caught.value.phase == "connect"


async def test_a_long_wait_for_the_limiter_fails_in_the_pool_phase(gradient_emulator: Emulator) -> None:
    limits = RateLimits(windows=[(1, 60.0)])
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        agent = Agent(GradientModel(M, session=session))
        await agent.run("Hi")
        with pytest.raises(ModelTimeoutError) as caught:
            await agent.run("Hi", model_settings={"timeout": 0.05})
    assert caught.value.phase == "pool"


async def test_an_invalid_response_is_an_api_error(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(body=b"<html>", content_type="text/html")
    with pytest.raises(ModelAPIError) as caught:
        await Agent(model).run("Hi")
    assert isinstance(caught.value.__cause__, ResponseDecodeError)


async def test_a_fallback_model_takes_over(
    gradient_emulator: Emulator, single_attempt_model: GradientModel, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reset()
    gradient_emulator.reply("Hi.")
    other = GradientModel("other", session=gradient_session)
    assert (await Agent(FallbackModel(single_attempt_model, other)).run("Hi")).output == "Hi."
    assert request_body(gradient_emulator)["model"] == "other"


async def test_a_configuration_error_passes_unchanged(gradient_emulator: Emulator) -> None:
    async with AsyncSession(base_url=gradient_emulator.url) as session:
        with pytest.raises(ConfigurationError, match="MODEL_ACCESS_KEY"):
            await Agent(GradientModel(M, session=session)).run("Hi")


async def test_errors_hide_keys_and_prompts(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=401)
    async with AsyncSession("sk-do-secret", base_url=gradient_emulator.url) as session:
        model = GradientModel(M, session=session)
        with pytest.raises(ModelAuthenticationError) as caught:
            await Agent(model).run("a secret question")
        shown = repr(model) + "".join(f"{error!r} {error} {vars(error)}" for error in iterate_causes(caught.value))
    assert "secret" not in shown
