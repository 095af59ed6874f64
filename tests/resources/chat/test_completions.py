"""One chat completion over a real socket."""

import asyncio
import logging

import pytest

from gradient_async import (
    AsyncSession,
    AttemptDetails,
    ConfigurationError,
    Message,
    ProtocolError,
    ResponseDecodeError,
    SessionClosedError,
)
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator

M = "llama3.3-70b-instruct"
HI: list[MessageParam | Message] = [{"role": "user", "content": "Capital of Portugal?"}]


async def test_a_completion_is_typed_and_carries_its_meta(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    completion = await gradient_session.chat.completions.create(model=M, messages=HI)
    assert "Lisbon" in completion.text
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    meta = completion.meta
    assert meta.request_id == gradient_emulator.requests[0].request_id
    assert (meta.rate_limit.limit, meta.rate_limit.remaining, meta.attempts) == (5000, 4999, 1)
    assert meta.headers["content-type"].startswith("application/json")
    timings = meta.timings
    assert timings.connect is not None
    assert timings.first_byte is not None
    assert timings.total is not None
    assert 0 < timings.first_byte <= timings.total


async def test_the_request_has_the_documented_form(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    await gradient_session.chat.completions.create(model=M, messages=HI, temperature=0, stop=None)
    (seen,) = gradient_emulator.requests
    assert (seen.method, seen.path, dict(seen.query)) == ("POST", "/v1/chat/completions", {})
    assert seen.json == {"model": M, "messages": HI, "temperature": 0}
    assert seen.headers["Authorization"] == "Bearer test"
    assert seen.headers["Content-Type"] == "application/json"
    assert "Cookie" not in seen.headers


async def test_an_agent_has_its_own_key_host_and_path(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    completion = await gradient_session.agent().chat.completions.create(messages=HI, include_retrieval_info=True)
    (seen,) = gradient_emulator.requests
    assert (seen.path, dict(seen.query)) == ("/api/v1/chat/completions", {"agent": "true"})
    assert seen.headers["Authorization"] == "Bearer test-agent"
    assert seen.headers["Host"] in gradient_emulator.agent_url
    assert seen.json["model"] == "ignored"
    assert completion.retrieval is not None
    assert completion.retrieval.retrieved_data


async def test_an_agent_call_without_endpoint_or_key_is_not_sent(gradient_emulator: Emulator) -> None:
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url) as session:
        with pytest.raises(ConfigurationError, match="AGENT_ENDPOINT, AGENT_URL, GRADIENT_AGENT_ENDPOINT"):
            await session.agent().chat.completions.create(messages=HI)
        with pytest.raises(ConfigurationError, match="AGENT_ACCESS_KEY, GRADIENT_AGENT_ACCESS_KEY"):
            await session.agent(gradient_emulator.agent_url).chat.completions.create(messages=HI)
    assert gradient_emulator.requests == []


async def test_a_missing_key_is_an_error_of_the_first_call(gradient_emulator: Emulator) -> None:
    async with AsyncSession(base_url=gradient_emulator.url) as session:
        with pytest.raises(ConfigurationError) as caught:
            await session.chat.completions.create(model=M, messages=HI)
    names = "MODEL_ACCESS_KEY, GRADIENT_MODEL_ACCESS_KEY, DIGITALOCEAN_INFERENCE_KEY, DIGITALOCEAN_TOKEN"
    assert names in str(caught.value)
    assert gradient_emulator.connections == 0


async def test_keys_and_addresses_come_from_the_environment(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", gradient_emulator.url + "/v1/")
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_x")
    monkeypatch.setenv("AGENT_URL", gradient_emulator.agent_url + "/api/v1")
    monkeypatch.setenv("AGENT_ACCESS_KEY", "agent-x")
    async with AsyncSession() as session:
        await session.models.list()
        await session.agent().chat.completions.create(messages=HI)
    assert [seen.headers["Authorization"] for seen in gradient_emulator.requests] == [
        "Bearer dop_v1_x",
        "Bearer agent-x",
    ]


async def test_the_models_are_listed(gradient_session: AsyncSession) -> None:
    models = await gradient_session.models.list()
    assert M in [model.id for model in models]
    assert len(models) == len(models.data)
    assert models.meta.request_id


async def test_twenty_calls_use_one_connection(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    for _ in range(20):
        await gradient_session.chat.completions.create(model=M, messages=HI)
    assert gradient_emulator.connections == 1


async def test_a_pool_of_two_connections_serves_ten_calls(gradient_emulator: Emulator) -> None:
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, max_connections=2) as session:
        calls = (session.chat.completions.create(model=M, messages=HI) for _ in range(10))
        assert len(await asyncio.gather(*calls)) == 10
    assert gradient_emulator.connections <= 2


async def test_keys_are_hidden_in_logs_errors_and_reprs(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[AttemptDetails] = []
    gradient_emulator.fail(status=503, times=1)
    gradient_emulator.fail(status=401, times=1)
    key = "sk-do-secret"
    async with AsyncSession(
        api_key=key, agent_access_key=key, base_url=gradient_emulator.url, hooks=[seen.append]
    ) as session:
        with pytest.raises(Exception, match="401") as caught:
            await session.chat.completions.create(model=M, messages=HI)
        shown = repr(session) + repr(seen) + caplog.text + repr(caught.value) + str(vars(caught.value))
    assert len(seen) == 2
    assert "secret" not in shown


async def test_hooks_see_every_attempt(gradient_emulator: Emulator) -> None:
    seen: list[AttemptDetails] = []
    gradient_emulator.fail(status=503)
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, hooks=[seen.append]) as session:
        await session.agent(gradient_emulator.agent_url, "a").chat.completions.create(messages=HI)
    assert [(details.attempt, details.status) for details in seen] == [(1, 503), (2, 200)]
    assert seen[0].error is not None
    assert seen[1].error is None
    assert seen[1].url.endswith("/api/v1/chat/completions")
    assert seen[1].request_id == gradient_emulator.requests[1].request_id


async def test_a_failing_hook_is_logged_and_the_call_succeeds(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(_: AttemptDetails) -> None:
        raise ZeroDivisionError

    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, hooks=[hook]) as session:
        assert (await session.chat.completions.create(model=M, messages=HI)).text
    assert "a hook failed" in caplog.text


async def test_a_200_without_a_completion_is_a_decode_error(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(body=b'{"choices": [{"index": "first"}]}', content_type="application/json")
    with pytest.raises(ResponseDecodeError) as caught:
        await gradient_session.chat.completions.create(model=M, messages=HI)
    assert caught.value.path == "$.choices[0].index"
    assert caught.value.request_id == gradient_emulator.requests[0].request_id


async def test_a_redirect_is_not_followed_and_names_its_host(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.redirect("https://elsewhere.example/v1?token=secret", status=307)
    with pytest.raises(ProtocolError, match=r"elsewhere\.example") as caught:
        await gradient_session.chat.completions.create(model=M, messages=HI)
    assert "secret" not in str(caught.value)
    assert len(gradient_emulator.requests) == 1


async def test_a_redirect_to_an_invalid_address_is_a_protocol_error(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.redirect("http://[elsewhere/")
    with pytest.raises(ProtocolError, match="redirected"):
        await gradient_session.chat.completions.create(model=M, messages=HI)


async def test_cookies_are_not_kept(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply("Hi", headers={"Set-Cookie": "a=b"})
    for _ in range(2):
        await gradient_session.chat.completions.create(model=M, messages=HI)
    assert "Cookie" not in gradient_emulator.requests[1].headers


async def test_a_closed_session_raises_with_advice(gradient_emulator: Emulator) -> None:
    session = AsyncSession(api_key="test", base_url=gradient_emulator.url)
    await session.models.list()
    await session.aclose()
    await session.aclose()
    with pytest.raises(SessionClosedError, match="open a new AsyncSession"):
        await session.models.list()
    assert "closed" in repr(session)


async def test_an_unused_session_closes_without_a_connection(gradient_emulator: Emulator) -> None:
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url) as session:
        pass
    assert "closed" in repr(session)
    assert gradient_emulator.connections == 0


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"api_key": ""}, "empty"),
        ({"api_key": "a\nb"}, "line break"),
        ({"base_url": "http://example.com"}, "allow_insecure"),
        ({"base_url": "nonsense://x"}, "address"),
        ({"agent_endpoint": "http://agent.example"}, "allow_insecure"),
        ({"max_connections": 0}, "max_connections"),
        ({"retry": 3}, "RetryPolicy"),
        ({"timeouts": 30}, "Timeouts"),
        ({"limits": 250}, "RateLimits"),
    ],
)
def test_an_invalid_setting_is_refused_at_once(options: dict[str, object], hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        AsyncSession(**options)  # type: ignore[arg-type]
