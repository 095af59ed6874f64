"""An emulator in front of another server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import NewClient, OpenStream


@pytest.fixture
async def behind() -> AsyncIterator[Emulator]:
    async with Emulator(models=("behind",)) as emulator:
        yield emulator


@pytest.fixture
async def front(behind: Emulator) -> AsyncIterator[Emulator]:
    async with Emulator(upstream=behind.url) as emulator:
        yield emulator


async def test_responses_come_from_the_upstream(new_client: NewClient, behind: Emulator, front: Emulator) -> None:
    behind.reply("From behind", times=2)
    client = new_client(front)
    assert (await client.ask()).content == "From behind"
    assert (await client.stream()).text == "From behind"
    assert [request.path for request in front.requests] == [request.path for request in behind.requests]


async def test_the_key_and_the_body_are_forwarded(new_client: NewClient, behind: Emulator, front: Emulator) -> None:
    await new_client(front).ask(seed=1)
    assert behind.requests[0].headers["Authorization"] == "Bearer key"
    assert behind.requests[0].body == front.requests[0].body


async def test_agent_requests_go_to_the_chat_of_the_upstream(
    new_client: NewClient, behind: Emulator, front: Emulator
) -> None:
    response = await new_client(front).send(path=f"{front.agent_url}/api/v1/chat/completions?agent=true")
    assert (response.status, behind.requests[0].path) == (200, "/v1/chat/completions")


async def test_the_list_of_models_comes_from_the_upstream(new_client: NewClient, front: Emulator) -> None:
    models = (await new_client(front).get("/v1/models")).json["data"]
    assert [model["id"] for model in models] == ["behind"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "m", "input": "a"}),
        ("/v1/images/generations", {"model": "m", "prompt": "p", "n": 1}),
    ],
)
async def test_embeddings_and_images_come_from_the_upstream(
    new_client: NewClient, behind: Emulator, front: Emulator, path: str, body: Any
) -> None:
    behind.reply(body={"from": "behind"}, path=path)
    response = await new_client(front).send(body, path)
    assert (behind.requests[0].path, behind.requests[0].json) == (path, body)
    assert response.json == {"from": "behind"}


async def test_scripted_responses_come_before_the_upstream(
    new_client: NewClient, behind: Emulator, front: Emulator
) -> None:
    front.reply("Scripted")
    front.fail(503)
    client = new_client(front)
    assert (await client.ask()).content == "Scripted"
    assert (await client.ask()).status == 503
    assert behind.requests == []


async def test_faults_apply_to_responses_of_the_upstream(
    new_client: NewClient, behind: Emulator, front: Emulator
) -> None:
    front.truncate(after=2)
    assert len((await new_client(front).stream()).events) == 2


async def test_a_stream_is_passed_through_as_it_arrives(
    behind: Emulator, front: Emulator, open_stream: OpenStream
) -> None:
    behind.stall(60, after=1)
    async with await open_stream(front) as response:
        assert (await response.content.readany()).startswith(b"data: ")
        assert behind.active == 1


async def test_a_stream_that_breaks_upstream_breaks_for_the_client(
    new_client: NewClient, behind: Emulator, front: Emulator
) -> None:
    behind.reset(after=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await new_client(front).stream()
    assert not front.requests[0].finished


async def test_errors_are_passed_through(new_client: NewClient, behind: Emulator, front: Emulator) -> None:
    behind.fail(402, message="No balance.")
    response = await new_client(front).ask()
    assert (response.status, response.json["message"]) == (402, "No balance.")


async def test_an_unreachable_upstream_is_a_bad_gateway(new_client: NewClient) -> None:
    async with Emulator() as gone:
        url = gone.url
    async with Emulator(upstream=url) as front:
        response = await new_client(front).ask()
    assert response.status == 502
    assert "ClientConnectorError" in response.json["message"]
