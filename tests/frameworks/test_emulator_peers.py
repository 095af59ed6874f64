"""Clients of other makers against the emulator: what it takes from them is what the service takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import CHAT, TERMINAL, chat_lines, encode_jsonl

HI: Any = [{"role": "user", "content": "Hi"}]
LINES = encode_jsonl(chat_lines(3))


def import_peer(name: str, reason: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed: {reason}", exc_type=ImportError)


@pytest.fixture
async def secured() -> AsyncIterator[Emulator]:
    """An emulator with TLS: some clients send their key over nothing else."""
    import_peer("trustme", "it makes the certificates")
    async with Emulator(tls=True, batch_seconds=0.05) as emulator:
        yield emulator


async def put_with_botocore(url: str, data: bytes, **settings: Any) -> int:
    """Upload with the HTTP client below boto3; return the status."""
    awsrequest = import_peer("botocore.awsrequest", "its HTTP client uploads")
    httpsession = import_peer("botocore.httpsession", "its HTTP client uploads")
    request = awsrequest.AWSRequest(method="PUT", url=url, data=data).prepare()
    response = await asyncio.to_thread(httpsession.URLLib3Session(**settings).send, request)
    status: int = response.status_code
    return status


@pytest.mark.parametrize("key", ["/inputs/1.jsonl", "/inputs/a b~c+d.jsonl"])
async def test_botocore_uploads_to_a_presigned_url(key: str) -> None:
    async with Emulator() as gradient:
        url, _ = gradient.storage.create_url("PUT", key.replace(" ", "%20"))
        assert await put_with_botocore(url, LINES) == 200
        assert gradient.storage.requests[-1].received == len(LINES)
        assert await put_with_botocore(url.replace("Expires=9", "Expires=8"), LINES) == 403


async def test_botocore_uploads_over_tls(secured: Emulator) -> None:
    url, _ = secured.storage.create_url("PUT", "/inputs/1.jsonl")
    assert await put_with_botocore(url, LINES, verify=str(secured.ca_file)) == 200


async def test_pydo_runs_a_batch_from_its_upload_to_its_results(secured: Emulator) -> None:
    aio = import_peer("pydo.inference.aio", "`make test-frameworks` installs it")
    aiohttp = import_peer("aiohttp", "it uploads")
    async with (
        aio.Client(api_key="key", inference_endpoint=secured.url, connection_verify=str(secured.ca_file)) as client,
        aiohttp.ClientSession() as http,
    ):
        file = await client.batches.files.create(file_name="in.jsonl")
        async with http.put(file["upload_url"], data=LINES, ssl=secured.ssl_context) as response:
            assert response.status == 200
        job = await client.batches.create(
            file_id=file["file_id"], provider="openai", endpoint=CHAT, completion_window="24h", request_id="r-1"
        )
        while (await client.batches.retrieve(job["batch_id"]))["status"] not in TERMINAL:
            await asyncio.sleep(0.02)
        listed = await client.batches.list()
        assert [each["batch_id"] for each in listed["data"]] == [job["batch_id"]]
        links = await client.batches.results.retrieve(job["batch_id"])
        async with http.get(links["output_file_url"], ssl=secured.ssl_context) as response:
            assert len((await response.text()).splitlines()) == 3


async def test_pydo_cancels_a_batch(secured: Emulator) -> None:
    aio = import_peer("pydo.inference.aio", "`make test-frameworks` installs it")
    secured.batches.seconds = None
    async with aio.Client(
        api_key="key", inference_endpoint=secured.url, connection_verify=str(secured.ca_file)
    ) as client:
        file = await client.batches.files.create(file_name="in.jsonl")
        url, data = file["upload_url"], LINES
        assert await put_with_botocore(url, data, verify=str(secured.ca_file)) == 200
        job = await client.batches.create(file_id=file["file_id"], provider="openai", endpoint=CHAT, request_id="r-1")
        assert (await client.batches.cancel(job["batch_id"]))["status"] == "cancelling"


async def test_gradient_asks_models_and_agents(secured: Emulator) -> None:
    gradient = import_peer("gradient", "`make test-frameworks` installs it")
    httpx = import_peer("httpx", "the SDK is built on it")
    trusting = httpx.AsyncClient(verify=secured.ssl_context)
    async with gradient.AsyncGradient(
        model_access_key="key",
        agent_access_key="agent",
        inference_endpoint=secured.url,
        agent_endpoint=secured.agent_url,
        http_client=trusting,
        max_retries=0,
    ) as client:
        whole = await client.chat.completions.create(model="m", messages=HI)
        stream = await client.chat.completions.create(model="m", messages=HI, stream=True)
        deltas = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        agent = await client.agents.chat.completions.create(model="n/a", messages=HI)
    assert "".join(deltas) == whole.choices[0].message.content
    assert agent.choices[0].message.content
    assert [request.agent for request in secured.requests] == [False, False, True]


@pytest.mark.filterwarnings("ignore")  # its import warns about its own classes
@pytest.mark.parametrize("stream", [True, False])
async def test_the_provider_of_litellm_asks_an_agent(monkeypatch: pytest.MonkeyPatch, *, stream: bool) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else its import fetches a list of prices
    litellm = import_peer("litellm", "`make test-frameworks` installs it")
    async with Emulator(lenient_agent=True) as emulator:  # it sends no agent=true
        emulator.reply("Lisbon.")
        response = await litellm.acompletion(
            "gradient_ai/m", messages=HI, api_base=emulator.agent_url, api_key="agent", stream=stream
        )
        if stream:
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in response])
        else:
            text = response.choices[0].message.content
    assert text == "Lisbon."
    assert emulator.requests[-1].agent
