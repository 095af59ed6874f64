"""The errors and limits that embeddings, images and invocations share."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    EmulatorClient,
    NewClient,
)

EMBEDDINGS, IMAGES, INVOKE = "/v1/embeddings", "/v1/images/generations", "/v1/async-invoke"
GOOD: dict[str, dict[str, Any]] = {
    EMBEDDINGS: {"model": "m", "input": "a"},
    IMAGES: {"model": "m", "prompt": "p", "n": 1},
    INVOKE: {"model_id": "m", "input": {"prompt": "p"}},
}
REFUSED = [
    (EMBEDDINGS, {"input": None}, "input must be a string or an array, got null."),
    (EMBEDDINGS, {"input": []}, "input must have between 1 and 2048 items, got 0."),
    (EMBEDDINGS, {"input": ["a", 1]}, "input[1] must be a string, got integer."),
    (EMBEDDINGS, {"encoding_format": "int8"}, "encoding_format must be one of float, base64, got 'int8'."),
    (EMBEDDINGS, {"dimensions": 8}, "dimensions is not allowed."),
    (IMAGES, {"prompt": ""}, "prompt must have a length of at least 1, got 0."),
    (IMAGES, {"n": 11}, "n must be between 1 and 10, got 11."),
    (IMAGES, {"size": "1x1"}, "size must be one of auto, 256x256"),
    (IMAGES, {"user": "u" * 257}, "user must have a length of at most 256, got 257."),
    (IMAGES, {"stream": True}, "partial_images must be greater than 0 when stream is true."),
    (INVOKE, {"input": "p"}, "input must be an object, got string."),
    (INVOKE, {"input": {"num_images": 0}}, "input.num_images must be at least 1, got 0."),
    (INVOKE, {"tags": [{"key": "k"}]}, "tags[0].value is required."),
]


@pytest.mark.parametrize(("path", "fields", "message"), REFUSED, ids=lambda value: str(value)[:40])
async def test_a_request_outside_the_documents_is_refused_with_its_problem(
    client: EmulatorClient, path: str, fields: dict[str, Any], message: str
) -> None:
    response = await client.send(GOOD[path] | fields, path)
    assert (response.status, response.json["id"]) == (400, "bad_request")
    assert message in response.json["message"]


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, body in GOOD.items() for name in body])
async def test_a_missing_field_is_named(client: EmulatorClient, path: str, name: str) -> None:
    body = {key: value for key, value in GOOD[path].items() if key != name}
    response = await client.send(body, path)
    assert (response.status, response.json["message"]) == (400, f"{name} is required.")


@pytest.mark.parametrize("path", GOOD)
async def test_every_endpoint_needs_a_key_and_counts_for_the_limit(client: EmulatorClient, path: str) -> None:
    assert (await client.send(GOOD[path], path, headers={})).status == 401
    response = await client.send(GOOD[path], path)
    assert response.status == (202 if path == INVOKE else 200)
    assert response.headers["ratelimit-remaining"] == "4999"


@pytest.mark.parametrize("path", [EMBEDDINGS, IMAGES])
async def test_a_model_that_does_not_exist_is_not_found(new_client: NewClient, path: str) -> None:
    async with Emulator(strict_models=True, models=("known",)) as gradient:
        client = new_client(gradient)
        assert (await client.send(GOOD[path] | {"model": "known"}, path)).status == 200
        assert (await client.send(GOOD[path], path)).status == 404


@pytest.mark.parametrize("path", GOOD)
async def test_a_scripted_reply_needs_the_path_of_an_endpoint_without_generation(
    client: EmulatorClient, gradient: Emulator, path: str
) -> None:
    gradient.reply(body={"mine": 1}, path=path)
    assert (await client.send(GOOD[path], path)).json == {"mine": 1}
    gradient.reply("Hello")
    assert "mine" not in (await client.send(GOOD[path], path)).json
    assert (await client.ask()).content == "Hello"
