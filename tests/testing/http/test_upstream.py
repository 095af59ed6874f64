"""An emulator in front of another server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gradient_async.testing import Emulator


@pytest.fixture
async def behind() -> AsyncIterator[Emulator]:
    async with Emulator(models=("behind",)) as emulator:
        yield emulator


@pytest.fixture
async def front(behind) -> AsyncIterator[Emulator]:
    async with Emulator(upstream=behind.url) as emulator:
        yield emulator


async def test_answers_come_from_the_upstream(client_of, behind, front):
    behind.reply("From behind", times=2)
    client = client_of(front)
    assert (await client.ask()).content == "From behind"
    assert (await client.stream()).text == "From behind"
    assert [request.path for request in front.requests] == [request.path for request in behind.requests]


async def test_the_key_and_the_body_are_passed_on(client_of, behind, front):
    await client_of(front).ask(seed=1)
    assert behind.requests[0].headers["Authorization"] == "Bearer key"
    assert behind.requests[0].body == front.requests[0].body


async def test_agents_are_answered_by_the_upstreams_chat(client_of, behind, front):
    answer = await client_of(front).send(path=f"{front.agent_url}/api/v1/chat/completions?agent=true")
    assert (answer.status, behind.requests[0].path) == (200, "/v1/chat/completions")


async def test_models_are_the_upstreams(client_of, front):
    models = (await client_of(front).send(path="/v1/models", method="GET")).json["data"]
    assert [model["id"] for model in models] == ["behind"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "m", "input": "a"}),
        ("/v1/images/generations", {"model": "m", "prompt": "p", "n": 1}),
    ],
)
async def test_embeddings_and_images_are_the_upstreams(client_of, behind, front, path, body):
    behind.reply(body={"from": "behind"}, path=path)
    answer = await client_of(front).send(body, path)
    assert (behind.requests[0].path, behind.requests[0].json) == (path, body)
    assert answer.json == {"from": "behind"}


async def test_what_is_scripted_comes_first(client_of, behind, front):
    front.reply("Scripted")
    front.fail(503)
    client = client_of(front)
    assert (await client.ask()).content == "Scripted"
    assert (await client.ask()).status == 503
    assert behind.requests == []


async def test_faults_strike_answers_of_the_upstream(client_of, behind, front):
    front.truncate(after=2)
    assert len((await client_of(front).stream()).events) == 2


async def test_a_stream_is_passed_through_as_it_comes(behind, front, open_stream):
    behind.stall(60, after=1)
    async with await open_stream(front) as response:
        assert (await response.content.readany()).startswith(b"data: ")
        assert behind.active == 1


async def test_a_stream_that_breaks_behind_breaks_in_front(client_of, behind, front):
    behind.reset(after=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client_of(front).stream()
    assert not front.requests[0].finished


async def test_errors_are_passed_through(client_of, behind, front):
    behind.fail(402, message="No balance.")
    answer = await client_of(front).ask()
    assert (answer.status, answer.json["message"]) == (402, "No balance.")


async def test_an_upstream_that_is_not_there_is_a_bad_gateway(client_of):
    async with Emulator() as gone:
        url = gone.url
    async with Emulator(upstream=url) as front:
        answer = await client_of(front).ask()
    assert answer.status == 502
    assert "ClientConnectorError" in answer.json["message"]
