"""Generated images, complete and streamed."""

from __future__ import annotations

import base64
import zlib

from tests.support.emulator_client import (
    EmulatorClient,
)

IMAGES = "/v1/images/generations"
REQUEST = {"model": "m", "prompt": "p", "n": 1}


async def test_an_image_is_a_complete_png_of_its_size(client: EmulatorClient) -> None:
    body = (await client.send(REQUEST | {"size": "256x256", "n": 2}, IMAGES)).json
    one, two = (base64.b64decode(image["b64_json"]) for image in body["data"])
    start = one.index(b"IDAT") + 4
    assert len(zlib.decompress(one[start:])) == 256 * (1 + 256 // 8)
    assert one != two
    assert (await client.send(REQUEST | {"size": "256x256", "n": 2}, IMAGES)).json["data"] == body["data"]


async def test_a_stream_of_an_image_ends_with_the_complete_one(client: EmulatorClient) -> None:
    response = await client.send(REQUEST | {"stream": True, "partial_images": 2}, IMAGES)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert [chunk["type"].rpartition(".")[2] for chunk in response.chunks] == ["partial_image"] * 2 + ["completed"]
    assert response.events[-1] == "[DONE]"
    assert response.chunks[-1]["usage"]["total_tokens"] == 4161
