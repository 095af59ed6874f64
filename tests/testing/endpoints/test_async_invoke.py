"""Asynchronous invocations."""

from __future__ import annotations

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    EmulatorClient,
    NewClient,
)

INVOKE = "/v1/async-invoke"
REQUEST = {"model_id": "m", "input": {"prompt": "p"}}


@pytest.mark.parametrize("action", ["", "/status"])
async def test_an_unknown_invocation_is_not_found(client: EmulatorClient, action: str) -> None:
    response = await client.get(f"{INVOKE}/none{action}")
    assert (response.status, response.json["id"]) == (404, "not_found")


async def test_a_key_sees_only_its_own_invocations(client: EmulatorClient) -> None:
    path = f"{INVOKE}/{(await client.send(REQUEST, INVOKE)).json['request_id']}"
    assert (await client.get(path, headers={"Authorization": "Bearer another"})).status == 404
    assert (await client.get(path)).status == 200


async def test_the_status_of_an_invocation_follows_the_clock(new_client: NewClient) -> None:
    now = [1000.0]
    async with Emulator(invocation_seconds=10, clock=lambda: now[0]) as gradient:
        client = new_client(gradient)
        created = (await client.send(REQUEST, INVOKE)).json
        path = f"{INVOKE}/{created['request_id']}"
        views = []
        for moment in (1000, 1002.9, 1003, 1009.9, 1010):
            now[0] = moment
            views.append((await client.get(path)).json)
    assert [view["status"] for view in views] == ["QUEUED", "QUEUED", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    assert [view["output"] is None for view in views] == [True] * 4 + [False]
    assert views[-1]["created_at"] == "1970-01-01T00:16:40.000000000Z"
    assert views[-1]["completed_at"] == "1970-01-01T00:16:50.000000000Z"
