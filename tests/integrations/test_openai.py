"""The OpenAI SDK and a session with one rate limiter, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest

from gradient_async import AsyncSession, ConfigurationError, RateLimiter, RateLimits, RetryPolicy, SessionClosedError
from gradient_async.integrations.openai import LimitedTransport, openai_client
from gradient_async.limits import RedisLimiter
from gradient_async.testing import Emulator
from tests.support.proxy_server import run_proxy, run_tls_front
from tests.support.tls import make_contexts
from tests.support.waiting import wait_until

M = "llama3.3-70b-instruct"
HI: list[Any] = [{"role": "user", "content": "Capital of Portugal?"}]
LONG = [(100, 60.0), (1000, 3600.0)]
newer_sdk = pytest.mark.skipif(
    tuple(map(int, openai.__version__.split(".")[:2])) < (3, 20),
    reason="this SDK repeats what its transport refuses and wraps the error, or takes clients of httpx only",
)


async def create(client: AsyncSession | openai.AsyncOpenAI, **options: Any) -> Any:
    return await client.chat.completions.create(model=M, messages=HI, **options)


def limiter_counts(limiter: Any) -> tuple[int, int, int]:
    """Return the used, held and queued requests of the first window."""
    status = limiter.status()
    return status.windows[0].used, status.held, status.queued


async def cancel_task(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@asynccontextmanager
async def open_clients(emulator: Emulator, **options: Any) -> AsyncIterator[tuple[AsyncSession, openai.AsyncOpenAI]]:
    async with AsyncSession("test", base_url=emulator.url, **options) as session, openai_client(session) as client:
        yield session, client


@asynccontextmanager
async def open_http_client(
    emulator: Emulator, limiter: RateLimiter, **options: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    transport = LimitedTransport(limiter, base_url=f"{emulator.url}/v1/", **options)
    headers = {"Authorization": "Bearer mine"}
    async with httpx2.AsyncClient(transport=transport, follow_redirects=True, headers=headers) as http:
        yield http


@pytest.fixture
async def limiter() -> RateLimiter:
    return RateLimiter(RateLimits(windows=LONG), chance=lambda: 0.0)


@pytest.fixture
async def client(gradient_emulator: Emulator, limiter: RateLimiter) -> AsyncIterator[openai.AsyncOpenAI]:
    async with open_clients(gradient_emulator, limits=limiter) as (_, client):
        yield client


async def test_the_client_follows_proxy_and_headers_of_the_session(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"X-Team": "blue", "X-Other": "1"}
    async with run_proxy(gradient_emulator.url.removeprefix("http://")) as proxy:
        async with open_clients(gradient_emulator, proxy=f"http://{proxy.host}", headers=headers) as (_, client):
            await create(client)
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
        async with open_clients(gradient_emulator, trust_env=True) as (_, client):
            await create(client)
        async with open_clients(gradient_emulator) as (_, client):
            await create(client)
    assert len(proxy.heads) == 2
    assert gradient_emulator.requests[0].headers["X-Team"] == "blue"
    assert len(gradient_emulator.requests) == 3


async def test_the_client_follows_the_tls_context_of_the_session(gradient_emulator: Emulator, tmp_path: Path) -> None:
    server, trusting = make_contexts(tmp_path)
    async with (
        run_tls_front(gradient_emulator.url.removeprefix("http://"), server) as front,
        AsyncSession("test", base_url=f"https://{front}", ssl=trusting) as session,
        openai_client(session) as client,
    ):
        assert (await create(client)).choices


# The shared limiter.


async def test_calls_of_both_clients_are_never_refused() -> None:
    short = [(10, 0.5)]
    limiter = RateLimiter(RateLimits(windows=short), guard=1.5)  # seconds for which the machine may stop
    async with Emulator(limits=short) as emulator, open_clients(emulator, limits=limiter) as both:
        await asyncio.gather(*(create(client) for client in both * 10))
    assert emulator.refusals == 0
    assert len(emulator.requests) == 20


async def test_without_limits_everything_is_sent_at_once() -> None:
    async with Emulator(limits=[(10, 60.0)]) as emulator, open_clients(emulator, limits=None) as (_, client):
        await asyncio.gather(*(create(client.with_options(max_retries=0)) for _ in range(15)), return_exceptions=True)
    assert emulator.refusals == 5


async def test_bulk_requests_wait_behind_the_sessions_own(gradient_emulator: Emulator) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 0.3)]), guard=0.0)
    async with (
        AsyncSession("test", base_url=gradient_emulator.url, limits=limiter) as session,
        openai_client(session, priority="bulk") as client,
    ):
        await client.models.list()
        async with asyncio.TaskGroup() as group:
            group.create_task(create(client))
            await wait_until(lambda: limiter.status().queued == 1)
            group.create_task(create(session))
    agents = [seen.headers["User-Agent"].partition("/")[0] for seen in gradient_emulator.requests]
    assert [agent == "AsyncOpenAI" for agent in agents] == [True, False, True]


# What responses teach the limiter.


async def test_the_headers_of_a_response_update_the_limiter() -> None:
    async with Emulator(limits=[(250, 60.0), (400, 3600.0)]) as emulator, open_clients(emulator) as (session, client):
        await create(client)
        assert session.limits is not None
        assert session.limits.status().windows[1].capacity == 400


async def test_the_quotas_of_a_model_are_those_of_the_session_too() -> None:
    async with Emulator(tier=120) as emulator, open_clients(emulator) as (session, client):
        await create(client)
        assert session.limits is not None
        model = emulator.requests[0].json["model"]
        assert [quota.limit for quota in session.limits.status(model).quotas] == [120, 750_000, 8_000_000]
        assert session.limits.status().models == (model,)


async def test_a_refusal_pauses_the_session_too(
    gradient_emulator: Emulator, client: openai.AsyncOpenAI, limiter: RateLimiter
) -> None:
    gradient_emulator.fail(status=429, retry_after=7)
    with pytest.raises(openai.RateLimitError):
        await create(client.with_options(max_retries=0))
    status = limiter.status()
    assert status.paused_until is not None
    assert 6.5 < status.paused_until - status.now <= 7.0


async def test_every_retry_of_the_sdk_takes_a_permit(
    gradient_emulator: Emulator, client: openai.AsyncOpenAI, limiter: RateLimiter
) -> None:
    gradient_emulator.fail(status=503)
    await create(client)
    assert [seen.status for seen in gradient_emulator.requests] == [503, 200]
    assert limiter_counts(limiter) == (2, 0, 0)


# Results of the SDK.


async def test_a_completion_is_the_sdks_own(client: openai.AsyncOpenAI, limiter: RateLimiter) -> None:
    completion = await create(client)
    assert isinstance(completion, openai.types.chat.ChatCompletion)
    assert "Lisbon" in (completion.choices[0].message.content or "")
    assert limiter_counts(limiter) == (1, 0, 0)


async def test_a_stream_arrives_chunk_by_chunk(
    gradient_emulator: Emulator, client: openai.AsyncOpenAI, limiter: RateLimiter
) -> None:
    gradient_emulator.stall(60, after=2)
    stream = await create(client, stream=True)
    assert (await anext(stream)).choices[0].delta.role == "assistant"
    assert limiter_counts(limiter) == (1, 0, 0)
    await stream.close()
    await wait_until(lambda: gradient_emulator.active == 0)


async def test_a_stream_yields_the_whole_text(client: openai.AsyncOpenAI) -> None:
    stream = await create(client, stream=True)
    assert "Lisbon" in "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def test_a_raw_response_has_the_headers(client: openai.AsyncOpenAI) -> None:
    response = await client.chat.completions.with_raw_response.create(model=M, messages=HI)
    assert response.headers["ratelimit-limit"] == "5000"
    assert "Lisbon" in (response.parse().choices[0].message.content or "")


async def test_an_error_is_the_sdks_own_and_counts_as_a_request(
    gradient_emulator: Emulator, client: openai.AsyncOpenAI, limiter: RateLimiter
) -> None:
    gradient_emulator.fail(status=401)
    with pytest.raises(openai.AuthenticationError):
        await create(client)
    assert limiter_counts(limiter) == (1, 0, 0)


# Permits of unsent requests.


async def test_a_cancelled_wait_takes_no_permit(gradient_emulator: Emulator) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 60.0)]))
    async with open_clients(gradient_emulator, limits=limiter) as (session, client):
        await session.models.list()
        task = asyncio.create_task(create(client))
        await wait_until(lambda: limiter.status().queued)
        await cancel_task(task)
    assert limiter_counts(limiter) == (1, 0, 0)


async def test_a_request_cancelled_before_it_was_written_refunds_its_permit(
    gradient_emulator: Emulator, limiter: RateLimiter
) -> None:
    gradient_emulator.stall(60)
    async with open_http_client(gradient_emulator, limiter, limits=httpx2.Limits(max_connections=1)) as http:
        tasks = [asyncio.create_task(http.get(f"{gradient_emulator.url}/v1/models")) for _ in range(2)]
        await wait_until(lambda: gradient_emulator.requests and limiter_counts(limiter) == (2, 1, 0))
        await cancel_task(tasks[1])
        assert limiter_counts(limiter) == (1, 0, 0)
        await cancel_task(tasks[0])


async def test_a_request_cancelled_after_it_was_written_counts(
    gradient_emulator: Emulator, client: openai.AsyncOpenAI, limiter: RateLimiter
) -> None:
    gradient_emulator.stall(60)
    task = asyncio.create_task(create(client))
    await wait_until(lambda: gradient_emulator.requests)
    await cancel_task(task)
    assert limiter_counts(limiter) == (1, 0, 0)


async def test_a_refused_connection_refunds_its_permit(limiter: RateLimiter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    async with AsyncSession("test", base_url=address, limits=limiter) as session, openai_client(session) as client:
        with pytest.raises(openai.APIConnectionError):
            await create(client.with_options(max_retries=0))
    assert limiter_counts(limiter) == (0, 0, 0)


@pytest.mark.parametrize("timeout", [30.0, openai.Timeout(600.0, pool=30.0)], ids=["seconds", "pool"])
async def test_a_wait_longer_than_the_timeout_is_a_timeout_at_once(gradient_emulator: Emulator, timeout: Any) -> None:
    async with open_clients(gradient_emulator, limits=RateLimits(windows=[(1, 60.0)])) as (session, client):
        await session.models.list()
        with pytest.raises(openai.APITimeoutError) as caught:
            await create(client.with_options(max_retries=0), timeout=timeout)
    assert "the rate limit allows this request in" in str(caught.value.__cause__)
    assert len(gradient_emulator.requests) == 1


async def test_a_limiter_without_its_store_is_a_connection_error(gradient_emulator: Emulator) -> None:
    limiter = RedisLimiter("redis://127.0.0.1:1", when_down="fail_closed")
    async with open_clients(gradient_emulator, limits=limiter) as (_, client):
        with pytest.raises(openai.APIConnectionError):
            await create(client.with_options(max_retries=0))
    await limiter.aclose()
    assert gradient_emulator.requests == []


# Keys and hosts.


async def test_key_address_and_retries_come_from_the_session(gradient_emulator: Emulator) -> None:
    async with open_clients(gradient_emulator, retry=RetryPolicy(attempts=6)) as (_, client):
        await create(client)
    (seen,) = gradient_emulator.requests
    assert (seen.path, seen.headers["Authorization"]) == ("/v1/chat/completions", "Bearer test")
    assert client.max_retries == 5


async def test_options_are_passed_to_the_sdk(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    async with openai_client(gradient_session, timeout=3, max_retries=0, default_headers={"X-Team": "a"}) as client:
        await create(client)
    assert (client.timeout, client.max_retries) == (3, 0)
    assert gradient_emulator.requests[0].headers["X-Team"] == "a"


async def test_environment_variables_for_openai_are_ignored(
    gradient_emulator: Emulator, gradient_session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "sk-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer sk-openai")
    async with openai_client(gradient_session) as client:
        await create(client)
        await create(client.with_options(timeout=5))
        await client.get("/models", cast_to=object, options={"security": {"admin_api_key_auth": True}})
    assert [seen.headers["Authorization"] for seen in gradient_emulator.requests] == ["Bearer test"] * 3
    assert [name for seen in gradient_emulator.requests for name, text in seen.headers.items() if "sk-" in text] == []


@newer_sdk
async def test_a_request_to_another_host_is_not_sent(gradient_emulator: Emulator, client: openai.AsyncOpenAI) -> None:
    for address in (gradient_emulator.agent_url, gradient_emulator.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(ConfigurationError, match="this client is only for"):
            await client.get(f"{address}/v1/models", cast_to=object)
    assert gradient_emulator.requests == []


async def test_a_redirect_is_not_followed(gradient_emulator: Emulator, client: openai.AsyncOpenAI) -> None:
    gradient_emulator.redirect(f"{gradient_emulator.url}/v1/models", status=303)
    with pytest.raises(openai.APIStatusError, match="303"):
        await create(client)
    assert len(gradient_emulator.requests) == 1


async def test_a_missing_key_raises_when_the_client_is_created() -> None:
    async with AsyncSession() as session:
        with pytest.raises(ConfigurationError, match="MODEL_ACCESS_KEY"):
            openai_client(session)


# Agents.


@newer_sdk
async def test_a_client_of_an_agent_has_its_host_key_path_and_budget(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    agent = gradient_session.agent()
    async with openai_client(agent) as client:
        assert (await create(client)).choices
        stream = await create(client, stream=True)
        assert [chunk async for chunk in stream]
        with pytest.raises(ConfigurationError, match="this client is only for"):
            await client.get(f"{gradient_emulator.url}/v1/models", cast_to=object)
    assert [(seen.path, dict(seen.query)) for seen in gradient_emulator.requests] == [
        ("/api/v1/chat/completions", {"agent": "true"})
    ] * 2
    assert limiter_counts(agent.limits) == (2, 0, 0)
    assert limiter_counts(gradient_session.limits) == (0, 0, 0)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/chat/completions", "/v1/chat/completions?agent=true&team=blue"),
        ("/v1/chat/completions?agent=true&a=1", "/v1/chat/completions?agent=true&a=1&team=blue"),
        ("/v1/answers", None),
    ],
)
async def test_a_client_of_an_agent_follows_its_path(
    gradient_emulator: Emulator, gradient_session: AsyncSession, path: str, sent: str | None
) -> None:
    agent = gradient_session.agent(gradient_emulator.agent_url, "agent-key", path=path)
    if sent is None:
        with pytest.raises(ConfigurationError, match="call the agent itself"):
            openai_client(agent)
        return
    async with openai_client(agent, default_query={"team": "blue"}) as client:
        await create(client)
    (seen,) = gradient_emulator.requests
    assert f"{seen.path}?{'&'.join(f'{name}={value}' for name, value in seen.query.items())}" == sent
    assert seen.headers["Authorization"] == "Bearer agent-key"


async def test_a_client_of_an_agent_without_a_key_is_refused(gradient_emulator: Emulator) -> None:
    async with AsyncSession("k", base_url=gradient_emulator.url, agent_endpoint=gradient_emulator.agent_url) as session:
        with pytest.raises(ConfigurationError, match="AGENT_ACCESS_KEY"):
            openai_client(session.agent())
        with pytest.raises(ConfigurationError, match="AGENT_ACCESS_KEY"):
            assert session.agent().limits


# The transport alone.


@pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda library: library.__name__)
async def test_the_transport_serves_clients_of_both_libraries(
    gradient_emulator: Emulator, limiter: RateLimiter, library: Any
) -> None:
    transport: Any = LimitedTransport(limiter, base_url=gradient_emulator.url)
    headers = {"Authorization": "Bearer mine"}
    async with library.AsyncClient(transport=transport, headers=headers, timeout=5) as http:
        response = await http.get(f"{gradient_emulator.url}/v1/models")
        assert (response.status_code, type(response)) == (200, library.Response)
        async with http.stream(
            "POST", f"{gradient_emulator.url}/v1/chat/completions", json={"model": M, "messages": HI, "stream": True}
        ) as stream:
            assert "data: [DONE]" in [line async for line in stream.aiter_lines()]
        assert limiter_counts(limiter) == (2, 0, 0)
        limiter.pause(60)
        with pytest.raises(library.PoolTimeout):
            await http.get(f"{gradient_emulator.url}/v1/models")
        with pytest.raises(ConfigurationError, match="this client is only for"):
            await http.get(gradient_emulator.agent_url)
    await wait_until(lambda: gradient_emulator.open_connections == 0)


async def test_a_request_of_another_library_is_refused(limiter: RateLimiter) -> None:
    request: Any = object()
    with pytest.raises(ConfigurationError, match="httpx and httpx2; got a request of builtins"):
        await LimitedTransport(limiter, base_url="http://127.0.0.1").handle_async_request(request)


@newer_sdk
async def test_the_transport_serves_a_custom_client(gradient_emulator: Emulator, limiter: RateLimiter) -> None:
    async with open_http_client(gradient_emulator, limiter) as http:
        client = openai.AsyncOpenAI(api_key="mine", base_url=f"{gradient_emulator.url}/v1/", http_client=http)
        await create(client)
    assert gradient_emulator.requests[0].headers["Authorization"] == "Bearer mine"
    assert limiter_counts(limiter) == (1, 0, 0)


async def test_a_followed_redirect_takes_two_permits_and_stays_on_the_host(
    gradient_emulator: Emulator, limiter: RateLimiter
) -> None:
    async with open_http_client(gradient_emulator, limiter) as http:
        gradient_emulator.redirect("/v1/models", status=303, path="/v1/models")
        await http.get(f"{gradient_emulator.url}/v1/models")
        assert limiter_counts(limiter) == (2, 0, 0)
        gradient_emulator.redirect(f"{gradient_emulator.agent_url}/v1/models", path="/v1/models")
        with pytest.raises(ConfigurationError, match="this client is only for"):
            await http.get(f"{gradient_emulator.url}/v1/models")
    assert len(gradient_emulator.requests) == 3


async def test_a_trace_of_the_caller_still_gets_events(gradient_emulator: Emulator, limiter: RateLimiter) -> None:
    events: list[str] = []

    async def trace(event: str, _: dict[str, Any]) -> None:
        events.append(event)

    async with open_http_client(gradient_emulator, limiter) as http:
        await http.get(f"{gradient_emulator.url}/v1/models", extensions={"trace": trace})
    assert "http11.send_request_headers.started" in events
    assert limiter_counts(limiter) == (1, 0, 0)


# Closing.


async def test_closing_the_client_closes_its_connections_and_not_the_session(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    async with openai_client(gradient_session) as client:
        await create(client)
    await wait_until(lambda: gradient_emulator.open_connections == 0)
    await create(gradient_session)


@newer_sdk
async def test_closing_the_session_ends_a_waiting_request(gradient_emulator: Emulator) -> None:
    async with open_clients(gradient_emulator, limits=RateLimits(windows=[(1, 60.0)])) as (session, client):
        await session.models.list()
        waiting = asyncio.create_task(create(client))
        await wait_until(lambda: session.limits is not None and session.limits.status().queued)
        await session.aclose()
        with pytest.raises(SessionClosedError, match="nothing was sent"):
            await waiting


# The extra.


def test_an_import_without_the_extra_names_it() -> None:
    code = "import sys; sys.modules['openai'] = None; import gradient_async.integrations.openai"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: gradient_async.integrations.openai needs an extra" in result.stderr
    assert "gradient-async[openai]" in result.stderr
