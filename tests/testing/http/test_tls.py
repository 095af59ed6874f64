"""TLS on all hosts of the emulator, with a certificate that only its clients trust."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gradient_async import APIConnectionError, AsyncSession, RetryPolicy, StreamTruncatedError
from gradient_async.testing import Emulator
from tests.support.emulator_client import chat_lines

pytest.importorskip("trustme", reason="trustme, which makes the certificates, is not installed")

HI: Any = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def secured() -> AsyncIterator[Emulator]:
    async with Emulator(tls=True) as emulator:
        yield emulator


def open_session(emulator: Emulator, **settings: Any) -> AsyncSession:
    return AsyncSession(
        "test",
        base_url=emulator.url,
        agent_endpoint=emulator.agent_url,
        agent_access_key="agent",
        **{"ssl": emulator.ssl_context, **settings},
    )


async def test_every_host_speaks_tls(secured: Emulator) -> None:
    async with open_session(secured) as session:
        stream = await session.chat.completions.stream(model="m", messages=HI).completion()
        agent = await session.agent().chat.completions.create(messages=HI)
        job = await session.batches.submit(chat_lines(2))
        await job.wait()
        results = [result.ok async for result in job.results()]
    assert (bool(stream.text), bool(agent.text), results) == (True, True, [True, True])
    urls = (secured.url, secured.agent_url, secured.storage.url)
    assert [url.partition("://")[0] for url in urls] == ["https"] * 3


async def test_the_certificate_is_valid_for_localhost(secured: Emulator) -> None:
    context = ssl.create_default_context(cafile=str(secured.ca_file))
    url = secured.url.replace("127.0.0.1", "localhost")
    headers = {"Authorization": "Bearer key"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{url}/v1/models", ssl=context) as response:
        assert response.status == 200


async def test_a_client_that_does_not_trust_the_certificate_is_not_served(secured: Emulator) -> None:
    async with open_session(secured, ssl=None, retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(APIConnectionError, match="ertificate"):
            await session.models.list()
    assert secured.requests == []


@pytest.mark.parametrize("fault", ["reset", "truncate"])
async def test_faults_break_a_connection_with_tls(secured: Emulator, fault: str) -> None:
    async with open_session(secured, retry=RetryPolicy(attempts=1)) as session:
        getattr(secured, fault)(after=1)
        with pytest.raises(StreamTruncatedError):
            await session.chat.completions.stream(model="m", messages=HI).completion()
        assert (await session.chat.completions.create(model="m", messages=HI)).text


async def test_each_emulator_has_a_certificate_of_its_own(secured: Emulator) -> None:
    async with (
        Emulator(tls=True) as other,
        open_session(secured, ssl=other.ssl_context, retry=RetryPolicy(attempts=1)) as session,
    ):
        with pytest.raises(APIConnectionError):
            await session.models.list()


async def test_the_certificate_is_deleted_at_the_end() -> None:
    emulator = Emulator(tls=True)
    for _ in range(2):
        async with emulator:
            ca_file = emulator.ca_file
            assert ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert not ca_file.exists()


@pytest.mark.parametrize("name", ["ca_file", "ssl_context"])
async def test_without_tls_there_is_no_certificate(gradient: Emulator, name: str) -> None:
    with pytest.raises(RuntimeError, match="tls=True"):
        getattr(gradient, name)


async def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ImportError, match=r"gradient-async\[testing\]"):
        await Emulator(tls=True).__aenter__()
