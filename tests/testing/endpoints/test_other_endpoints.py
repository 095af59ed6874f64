"""Embeddings, images and invocations of the emulator, as the documents have them."""

from __future__ import annotations

import base64
import zlib

import pytest

from gradient_async.testing import Emulator

EMBEDDINGS, IMAGES, INVOKE = "/v1/embeddings", "/v1/images/generations", "/v1/async-invoke"
GOOD = {
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
async def test_a_request_outside_the_documents_is_refused_with_its_fault(client, path, fields, message):
    answer = await client.send(GOOD[path] | fields, path)
    assert (answer.status, answer.json["id"]) == (400, "bad_request")
    assert message in answer.json["message"]


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, body in GOOD.items() for name in body])
async def test_a_missing_field_is_named(client, path, name):
    body = {key: value for key, value in GOOD[path].items() if key != name}
    answer = await client.send(body, path)
    assert (answer.status, answer.json["message"]) == (400, f"{name} is required.")


@pytest.mark.parametrize("path", GOOD)
async def test_every_endpoint_wants_a_key_and_counts(client, path):
    assert (await client.send(GOOD[path], path, headers={})).status == 401
    answer = await client.send(GOOD[path], path)
    assert answer.status == (202 if path == INVOKE else 200)
    assert answer.headers["ratelimit-remaining"] == "4999"


@pytest.mark.parametrize("path", [EMBEDDINGS, IMAGES])
async def test_a_model_that_does_not_exist_is_not_found(client_of, path):
    async with Emulator(strict_models=True, models=("known",)) as gradient:
        client = client_of(gradient)
        assert (await client.send(GOOD[path] | {"model": "known"}, path)).status == 200
        assert (await client.send(GOOD[path], path)).status == 404


@pytest.mark.parametrize("path", GOOD)
async def test_a_scripted_answer_needs_the_path(client, gradient, path):
    gradient.reply(body={"mine": 1}, path=path)
    assert (await client.send(GOOD[path], path)).json == {"mine": 1}
    gradient.reply("Hello")
    assert "mine" not in (await client.send(GOOD[path], path)).json
    assert (await client.ask()).content == "Hello"


async def test_a_picture_is_a_whole_png_of_its_size(client):
    body = (await client.send(GOOD[IMAGES] | {"size": "256x256", "n": 2}, IMAGES)).json
    one, two = (base64.b64decode(image["b64_json"]) for image in body["data"])
    start = one.index(b"IDAT") + 4
    assert len(zlib.decompress(one[start:])) == 256 * (1 + 256 // 8)
    assert one != two
    assert (await client.send(GOOD[IMAGES] | {"size": "256x256", "n": 2}, IMAGES)).json["data"] == body["data"]


async def test_a_stream_of_an_image_ends_with_the_whole_one(client):
    answer = await client.send(GOOD[IMAGES] | {"stream": True, "partial_images": 2}, IMAGES)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert [chunk["type"].rpartition(".")[2] for chunk in answer.chunks] == ["partial_image"] * 2 + ["completed"]
    assert answer.events[-1] == "[DONE]"
    assert answer.chunks[-1]["usage"]["total_tokens"] == 4161


@pytest.mark.parametrize("action", ["", "/status"])
async def test_an_invocation_that_was_never_made_is_not_found(client, action):
    answer = await client.send(path=f"{INVOKE}/none{action}", method="GET")
    assert (answer.status, answer.json["id"]) == (404, "not_found")


async def test_an_invocation_goes_through_its_statuses_by_the_clock(client_of):
    now = [1000.0]
    async with Emulator(invocation_seconds=10, clock=lambda: now[0]) as gradient:
        client = client_of(gradient)
        created = (await client.send(GOOD[INVOKE], INVOKE)).json
        path = f"{INVOKE}/{created['request_id']}"
        views = []
        for moment in (1000, 1002.9, 1003, 1009.9, 1010):
            now[0] = moment
            views.append((await client.send(path=path, method="GET")).json)
    assert [view["status"] for view in views] == ["QUEUED", "QUEUED", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    assert [view["output"] is None for view in views] == [True] * 4 + [False]
    assert views[-1]["created_at"] == "1970-01-01T00:16:40.000000000Z"
    assert views[-1]["completed_at"] == "1970-01-01T00:16:50.000000000Z"
