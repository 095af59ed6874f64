"""Statuses and JSON bodies, as the documents show them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
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
from gradient_async.params import MessageParam

Row = tuple[int, Any, type[GradientError], str | None]
Call = Callable[[AsyncSession], Awaitable[Any]]
BASE = "https://inference.do-ai.run"
URL = f"{BASE}/v1/chat/completions"
MESSAGES_URL = f"{BASE}/v1/messages"
RESPONSES_URL = f"{BASE}/v1/responses"
AGENT_URL = "https://a.agents.do-ai.run/api/v1/chat/completions?agent=true"
HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
OVERVIEW_SAMPLE = {
    "id": "chatcmpl-abc123",
    "object": "chat.completion",
    "created": 1677858242,
    "model": "meta-llama/Llama-3.3-70B-Instruct",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 12, "total_tokens": 22},
}


class MockedResponses(Protocol):
    def post(self, url: str, **kwargs: Any) -> None: ...
    def get(self, url: str, **kwargs: Any) -> None: ...


def session() -> AsyncSession:
    return AsyncSession(
        api_key="test", agent_access_key="a", agent_endpoint="a.agents.do-ai.run/api/v1/", retry=RetryPolicy(attempts=1)
    )


async def test_the_sample_completion_of_the_overview_decodes(mocked_responses: MockedResponses) -> None:
    mocked_responses.post(
        URL, payload=OVERVIEW_SAMPLE, headers={"ratelimit-limit": "1200", "rateLimit-reset": "1402425459"}
    )
    async with session() as s:
        completion = await s.chat.completions.create(model="m", messages=HI)
    assert completion.text == "Hello!"
    assert completion.usage is not None
    assert completion.usage.total_tokens == 22
    assert (completion.meta.rate_limit.limit, completion.meta.rate_limit.reset) == (1200, 1402425459)
    assert completion.to_dict() == OVERVIEW_SAMPLE


async def test_an_agent_is_called_at_its_documented_address(mocked_responses: MockedResponses) -> None:
    mocked_responses.post(AGENT_URL, payload=OVERVIEW_SAMPLE)
    async with session() as s:
        assert (await s.agent().chat.completions.create(messages=HI)).text == "Hello!"


ROWS: list[Row] = [
    (400, {"id": "bad_request", "message": "m"}, BadRequestError, "bad_request"),
    (401, {"id": "unauthorized", "message": "Unable to authenticate you."}, AuthenticationError, "unauthorized"),
    (404, {"id": "not_found", "message": "m", "request_id": "r"}, NotFoundError, "not_found"),
    (429, {"id": "too_many_requests", "message": "API Rate limit exceeded."}, RateLimitError, "too_many_requests"),
    (500, {"id": "server_error", "message": "Unexpected server-side error"}, InternalServerError, "server_error"),
    (418, {"id": "example_error", "message": "some error message"}, APIStatusError, "example_error"),
    (200, {"id": "server_error", "message": "m"}, InternalServerError, "server_error"),
    (200, {"error": {"code": 429, "message": "m"}}, RateLimitError, None),
    (200, {"status": 503, "error": "m"}, InternalServerError, None),
    (200, {"foo": 1}, ResponseDecodeError, None),
    (200, [], ResponseDecodeError, None),
    (302, {}, ProtocolError, None),
]


CALLS: list[tuple[str, Call]] = [
    ("post /v1/chat/completions", lambda s: s.chat.completions.create(model="m", messages=HI)),
    ("post /v1/embeddings", lambda s: s.embeddings.create(model="m", input="Hi")),
    ("post /v1/images/generations", lambda s: s.images.generate(model="m", prompt="Hi")),
    ("post /v1/async-invoke", lambda s: s.async_invoke.create(model_id="m", input={"prompt": "Hi"})),
    ("get /v1/async-invoke/i/status", lambda s: s.async_invoke.status("i")),
    ("get /v1/async-invoke/i", lambda s: s.async_invoke.result("i")),
]
TYPED_CALLS: list[tuple[str, Call]] = [
    (
        "post /v1/messages",
        lambda s: s.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]),
    ),
    ("post /v1/responses", lambda s: s.responses.create(model="m", input="Hi")),
]
ANTHROPIC_ROW: Row = (
    400, {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}, BadRequestError,
    "invalid_request_error",
)  # fmt: skip
FAILED_ROW: Row = (
    200, {"id": "resp_1", "output": [], "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "m"}},
    RateLimitError, "rate_limit_exceeded",
)  # fmt: skip
CASES = [(path, call, row) for path, call in CALLS for row in ROWS]
CASES += [(path, call, row) for path, call in TYPED_CALLS for row in [*ROWS, ANTHROPIC_ROW, FAILED_ROW]]


@pytest.mark.parametrize(("path", "call", "row"), CASES)
async def test_status_and_body_raise_the_documented_error(
    mocked_responses: MockedResponses, path: str, call: Call, row: Row
) -> None:
    status, body, kind, code = row
    method, _, where = path.partition(" ")
    add = mocked_responses.get if method == "get" else mocked_responses.post
    add(BASE + where, status=status, payload=body, headers={"x-request-id": "header-id"})
    async with session() as s:
        with pytest.raises(kind) as caught:
            await call(s)
    assert type(caught.value) is kind
    assert getattr(caught.value, "code", None) == code
    assert caught.value.request_id in ("header-id", "r")


MESSAGE_SAMPLE = {
    "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-4-6",
    "content": [{"type": "text", "text": "Lisbon."}, {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}],
    "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4, "speed": "fast"},
}  # fmt: skip
RESPONSE_SAMPLE = {
    "id": "resp_123", "object": "response", "created_at": 1721596428.5, "model": "openai-gpt-oss-20b",
    "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "error": None,
    "tool_choice": {"type": "function", "name": "lookup"},
    "output": [
        {"type": "reasoning", "id": "r", "content": [{"type": "reasoning_text", "text": "hm"}], "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Paris", "logprobs": []}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "content": None},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_tokens_details": {},
              "output_tokens_details": {}},
}  # fmt: skip


async def test_a_message_decodes_and_keeps_unknown_fields(mocked_responses: MockedResponses) -> None:
    mocked_responses.post(MESSAGES_URL, payload=MESSAGE_SAMPLE, headers={"ratelimit-remaining": "7"})
    async with session() as s:
        message = await TYPED_CALLS[0][1](s)
    assert (message.text, message.stop_reason, message.content[1].input) == ("Lisbon.", "tool_use", {"x": 1})
    assert message.usage.extra == {"speed": "fast"}
    assert message.meta.rate_limit.remaining == 7
    assert message.to_dict() == MESSAGE_SAMPLE


async def test_a_response_decodes_and_keeps_unknown_fields(mocked_responses: MockedResponses) -> None:
    mocked_responses.post(RESPONSES_URL, payload=RESPONSE_SAMPLE, headers={"x-request-id": "r"})
    async with session() as s:
        response = await TYPED_CALLS[1][1](s)
    assert (response.text, response.reasoning, response.status) == ("Paris", "hm", "incomplete")
    assert [call.name for call in response.function_calls] == ["f"]
    assert response.extra["tool_choice"] == RESPONSE_SAMPLE["tool_choice"]
    assert response.meta.request_id == "r"


async def test_a_429_carries_retry_after_and_rate_limit(mocked_responses: MockedResponses) -> None:
    headers = {
        "ratelimit-limit": "5000",
        "ratelimit-remaining": "0",
        "rateLimit-reset": "1402425459",
        "retry-after": "29",
    }
    mocked_responses.post(URL, status=429, body='{id: "too_many_requests", message: "x"}', headers=headers)
    async with session() as s:
        with pytest.raises(RateLimitError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    error = caught.value
    assert error.retry_after == 29
    assert error.rate_limit is not None
    assert (error.rate_limit.limit, error.rate_limit.remaining) == (5000, 0)


async def test_the_list_of_models_decodes(mocked_responses: MockedResponses) -> None:
    mocked_responses.get(
        "https://inference.do-ai.run/v1/models", payload={"object": "list", "data": [{"id": "m", "x": 1}]}
    )
    async with session() as s:
        (model,) = await s.models.list()
    assert (model.id, model.owned_by, model.raw["x"]) == ("m", "", 1)


async def test_a_model_without_an_id_raises_with_its_path(mocked_responses: MockedResponses) -> None:
    mocked_responses.get("https://inference.do-ai.run/v1/models", payload={"data": [{"id": "m"}, {}]})
    async with session() as s:
        with pytest.raises(ResponseDecodeError) as caught:
            await s.models.list()
    assert caught.value.path == "$.data[1].id"


async def test_the_sample_of_an_embedding_decodes(mocked_responses: MockedResponses) -> None:
    sample = {
        "object": "list",
        "model": "qwen3-embedding-0.6b",
        "data": [{"index": 0, "object": "embedding", "embedding": [0.0123, -0.0456, 0.0001]}],
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }
    mocked_responses.post(f"{BASE}/v1/embeddings", payload=sample)
    async with session() as s:
        vectors = await s.embeddings.create(model="m", input="Hi")
    assert [vector.embedding for vector in vectors] == [[0.0123, -0.0456, 0.0001]]
    assert vectors.usage is not None
    assert (vectors.model, vectors.usage.total_tokens, vectors.raw) == ("qwen3-embedding-0.6b", 6, sample)


async def test_the_sample_of_an_image_decodes(mocked_responses: MockedResponses) -> None:
    usage = {"total_tokens": 4172, "input_tokens": 12, "output_tokens": 4160}
    details = {"text_tokens": 12, "image_tokens": 0}
    sample = {
        "created": 1677649456,
        "data": [{"b64_json": "iVBORw0KGgo=", "revised_prompt": "A cute otter", "url": None}],
        "background": "opaque",
        "output_format": "png",
        "quality": "high",
        "size": "1024x1024",
        "usage": usage | {"input_tokens_details": details},
    }
    mocked_responses.post(f"{BASE}/v1/images/generations", payload=sample)
    async with session() as s:
        images = await s.images.generate(model="m", prompt="Hi")
    (image,) = images
    assert (image.content, image.revised_prompt, image.extra) == (b"\x89PNG\r\n\x1a\n", "A cute otter", {"url": None})
    assert images.usage is not None
    assert (images.usage.output_tokens, images.usage.input_tokens_details.text_tokens) == (4160, 12)
    assert (images.size, images.raw) == ("1024x1024", sample)


INVOCATION = {
    "completed_at": None,
    "created_at": "2026-01-22T19:19:19.112403432Z",
    "error": None,
    "model_id": "fal-ai/fast-sdxl",
    "request_id": "i",
    "started_at": None,
    "status": "COMPLETED",
    "output": {"images": [{"content_type": "image/jpeg", "height": 768, "url": "https://x/y.jpg?X-Amz-Signature=1"}]},
}


async def test_the_sample_of_an_invocation_decodes(mocked_responses: MockedResponses) -> None:
    mocked_responses.get(f"{BASE}/v1/async-invoke/i", payload=INVOCATION)
    async with session() as s:
        invocation = await s.async_invoke.result("i")
    assert invocation.created_at == datetime(2026, 1, 22, 19, 19, 19, 112403, UTC)
    assert invocation.urls == ["https://x/y.jpg?X-Amz-Signature=1"]
    assert "Signature" not in repr(invocation)
    assert invocation.raw == INVOCATION


@pytest.mark.parametrize(
    ("status", "is_completed", "is_terminal"),
    [
        ("QUEUED", False, False),
        ("IN_PROGRESS", False, False),
        ("SOMETHING_NEW", False, False),
        ("COMPLETED", True, True),
        ("COMPLETE", True, True),
        ("FAILED", False, True),
    ],
)
@pytest.mark.parametrize("http_status", [200, 202])
async def test_an_invocation_may_have_ended_when_it_is_created(
    mocked_responses: MockedResponses, http_status: int, status: str, is_completed: bool, is_terminal: bool
) -> None:
    mocked_responses.post(f"{BASE}/v1/async-invoke", status=http_status, payload=INVOCATION | {"status": status})
    async with session() as s:
        invocation = await s.async_invoke.create(model_id="m", input={"prompt": "Hi"})
    assert (invocation.is_completed, invocation.is_terminal) == (is_completed, is_terminal)
    assert invocation.meta.status == http_status


@pytest.mark.parametrize(
    ("error", "text"),
    [("why", "why"), ({"message": "why", "code": 1}, "why"), ({"code": 1}, '{"code":1}'), (["why"], '["why"]')],
)
async def test_an_invocation_error_of_any_form_becomes_text(
    mocked_responses: MockedResponses, error: Any, text: str
) -> None:
    failed = INVOCATION | {"status": "FAILED", "error": error, "output": None}
    mocked_responses.get(f"{BASE}/v1/async-invoke/i", payload=failed)
    async with session() as s:
        invocation = await s.async_invoke.result("i")
    assert (invocation.error, invocation.raw) == (text, failed)
