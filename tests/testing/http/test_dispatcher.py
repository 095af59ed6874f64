"""The errors before an endpoint responds: keys, paths, methods."""

from __future__ import annotations

import json

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    AGENT_CHAT,
    EmulatorClient,
    NewClient,
    chat_body,
)


async def test_an_error_carries_the_request_id_of_its_header(client: EmulatorClient) -> None:
    response = await client.send(b"{")
    assert response.json["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic key", "key"])
async def test_a_request_without_a_bearer_is_unauthorized(client: EmulatorClient, header: str | None) -> None:
    response = await client.send(headers={} if header is None else {"Authorization": header})
    assert response.status == 401
    assert response.json["id"] == "unauthorized"
    assert response.json["message"] == "Unable to authenticate you."


@pytest.mark.parametrize(("path", "status"), [("/v1/messages", 200), ("/v1/chat/completions", 401)])
async def test_messages_accept_the_key_in_x_api_key(client: EmulatorClient, path: str, status: int) -> None:
    body = json.dumps(chat_body(max_tokens=9)).encode()
    response = await client.send(body, path=path, headers={"x-api-key": "key", "anthropic-version": "2023-06-01"})
    assert response.status == status


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/v1/chat/completions", "inference", 200),
        ("/v1/chat/completions", "agent", 401),
        ("/v1/chat/completions", "other", 401),
        (AGENT_CHAT, "agent", 200),
        (AGENT_CHAT, "inference", 401),
    ],
)
async def test_the_two_keys_are_not_interchangeable(new_client: NewClient, path: str, key: str, status: int) -> None:
    async with Emulator(api_key="inference", agent_key="agent") as gradient:
        host = gradient.agent_url if path == AGENT_CHAT else gradient.url
        response = await new_client(gradient).send(path=host + path, headers={"Authorization": f"Bearer {key}"})
    assert response.status == status


async def test_without_an_api_key_any_bearer_but_the_agents_is_accepted(new_client: NewClient) -> None:
    async with Emulator(agent_key="agent") as gradient:
        client = new_client(gradient)
        statuses = [(await client.send(headers={"Authorization": f"Bearer {k}"})).status for k in ("x", "agent")]
    assert statuses == [200, 401]


async def test_an_unknown_path_is_not_found(client: EmulatorClient) -> None:
    response = await client.send(path="/v1/nothing")
    assert (response.status, response.json["id"]) == (404, "not_found")


async def test_another_method_is_not_allowed(client: EmulatorClient) -> None:
    response = await client.get("/v1/chat/completions")
    assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", AGENT_CHAT, (404, 200)),
        ("POST", "/v1/chat/completions?agent=true", (200, 200)),
        ("POST", "/v1/chat/completions", (200, 400)),
        ("POST", "/v1/responses", (400, 404)),
        ("POST", "/v1/batches", (422, 404)),
        ("GET", "/v1/models", (200, 404)),
        ("GET", "/v1/videos/1", (404, 404)),
        ("GET", "/health", (404, 200)),
    ],
)
async def test_each_host_has_its_own_paths(
    client: EmulatorClient, gradient: Emulator, method: str, path: str, status: tuple[int, int]
) -> None:
    urls = [host + path for host in (gradient.url, gradient.agent_url)]
    assert tuple([(await client.send(path=url, method=method)).status for url in urls]) == status
    assert [request.agent for request in gradient.requests] == [False, True]


async def test_a_scripted_path_of_the_agent_takes_its_key(new_client: NewClient) -> None:
    async with Emulator(agent_key="agent") as gradient:
        gradient.reply(body={}, path="/docs", times=None)
        client, url = new_client(gradient), gradient.agent_url + "/docs"
        statuses = [
            (await client.get(url, headers={"Authorization": f"Bearer {key}"})).status for key in ("agent", "other")
        ]
    assert statuses == [200, 401]
