"""Statuses and JSON bodies, as the documents show them."""

from typing import Any, Protocol

import pytest

from gradient_async import (
    APIStatusError,
    AsyncSession,
    AuthenticationError,
    BadRequestError,
    GradientError,
    InternalServerError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
)

URL = "https://inference.do-ai.run/v1/chat/completions"
AGENT_URL = "https://a.agents.do-ai.run/api/v1/chat/completions?agent=true"
HI = [{"role": "user", "content": "Hi"}]
OVERVIEW_SAMPLE = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1677858242,
    "model": "meta-llama/Llama-3.3-70B-Instruct",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 12, "total_tokens": 22},
}


class Answers(Protocol):
    def post(self, url: str, **kwargs: Any) -> None: ...
    def get(self, url: str, **kwargs: Any) -> None: ...


def session() -> AsyncSession:
    return AsyncSession(
        api_key="test", agent_access_key="a", agent_endpoint="a.agents.do-ai.run/api/v1/", retry=RetryPolicy(attempts=1)
    )


async def test_the_sample_of_the_overview_decodes(answers: Answers) -> None:
    answers.post(URL, payload=OVERVIEW_SAMPLE, headers={"ratelimit-limit": "1200", "rateLimit-reset": "1402425459"})
    async with session() as s:
        completion = await s.chat.completions.create(model="m", messages=HI)
    assert completion.text == "Hello!"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 22
    assert (completion.meta.rate_limit.limit, completion.meta.rate_limit.reset) == (1200, 1402425459)
    assert completion.to_dict() == OVERVIEW_SAMPLE


async def test_the_agents_address_is_the_documented_one(answers: Answers) -> None:
    answers.post(AGENT_URL, payload=OVERVIEW_SAMPLE)
    async with session() as s:
        assert (await s.agent().chat.completions.create(messages=HI)).text == "Hello!"


ROWS: list[tuple[int, Any, type[GradientError], str | None]] = [
    (400, {"id": "bad_request", "message": "m"}, BadRequestError, "bad_request"),
    (401, {"id": "unauthorized", "message": "Unable to authenticate you."}, AuthenticationError, "unauthorized"),
    (404, {"id": "not_found", "message": "m", "request_id": "r"}, NotFoundError, "not_found"),
    (429, {"id": "too_many_requests", "message": "API Rate limit exceeded."}, RateLimitError, "too_many_requests"),
    (500, {"id": "server_error", "message": "Unexpected server-side error"}, InternalServerError, "server_error"),
    (418, {"id": "example_error", "message": "some error message"}, APIStatusError, "example_error"),
    (200, {"id": "server_error", "message": "m"}, InternalServerError, "server_error"),
    (200, {"error": {"code": 429, "message": "m"}}, RateLimitError, None),
    (200, {"foo": 1}, ResponseDecodeError, None),
    (200, [], ResponseDecodeError, None),
    (302, {}, ProtocolError, None),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), ROWS)
async def test_a_body_with_a_status_is_this_error(
    answers: Answers, status: int, body: Any, kind: type[GradientError], code: str | None
) -> None:
    answers.post(URL, status=status, payload=body, headers={"x-request-id": "header-id"})
    async with session() as s:
        with pytest.raises(kind) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert type(caught.value) is kind
    assert getattr(caught.value, "code", None) == code
    assert caught.value.request_id in ("header-id", "r")


async def test_a_burst_429_carries_what_the_service_asked_for(answers: Answers) -> None:
    headers = {
        "ratelimit-limit": "5000",
        "ratelimit-remaining": "0",
        "rateLimit-reset": "1402425459",
        "retry-after": "29",
    }
    answers.post(URL, status=429, body='{id: "too_many_requests", message: "x"}', headers=headers)
    async with session() as s:
        with pytest.raises(RateLimitError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    error = caught.value
    assert error.retry_after == 29
    assert error.rate_limit is not None
    assert (error.rate_limit.limit, error.rate_limit.remaining) == (5000, 0)


async def test_the_models_decode(answers: Answers) -> None:
    answers.get("https://inference.do-ai.run/v1/models", payload={"object": "list", "data": [{"id": "m", "x": 1}]})
    async with session() as s:
        (model,) = await s.models.list()
    assert (model.id, model.owned_by, model.raw["x"]) == ("m", "", 1)


async def test_a_model_without_its_id_is_named(answers: Answers) -> None:
    answers.get("https://inference.do-ai.run/v1/models", payload={"data": [{"id": "m"}, {}]})
    async with session() as s:
        with pytest.raises(ResponseDecodeError) as caught:
            await s.models.list()
    assert caught.value.path == "$.data[1].id"
