"""The list of models, and the health check."""

from __future__ import annotations

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    EmulatorClient,
)


async def test_models_are_listed(client: EmulatorClient, gradient: Emulator) -> None:
    body = (await client.get("/v1/models")).json
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == list(gradient.models)
    assert {"id", "object", "created", "owned_by"} == set(body["data"][0])


async def test_the_health_of_an_agent_needs_no_key(client: EmulatorClient, gradient: Emulator) -> None:
    response = await client.get(gradient.agent_url + "/health", headers={})
    assert (response.status, response.json) == (200, {"status": "ok"})
