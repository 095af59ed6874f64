"""Speech and videos, over plain HTTP."""

from __future__ import annotations

import base64
import io
import struct
import wave
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from gradient_async.testing import Emulator
from gradient_async.testing.model.sample_media import make_mp4
from tests.support.emulator_client import KEY, EmulatorClient, NewClient

SPEECH, VIDEOS = "/v1/audio/speech", "/v1/videos"


def iterate_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each box of an MP4 file."""
    while data:
        size = struct.unpack(">I", data[:4])[0]
        yield data[4:8], data[8:size]
        data = data[size:]


async def test_speech_is_a_wav_that_lasts_as_long_as_its_words(client: EmulatorClient) -> None:
    response = await client.send({"model": "m", "input": "one two three", "response_format": "mp3"}, SPEECH)
    assert response.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(response.body)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(1.2)


async def test_speech_in_json_holds_the_same_file(client: EmulatorClient, new_client: NewClient) -> None:
    body = {"model": "m", "input": "one"}
    async with Emulator(speech_shape="base64") as other:
        in_json = await new_client(other).send(body, SPEECH)
    assert base64.b64decode(in_json.json["data"][0]["b64_json"]) == (await client.send(body, SPEECH)).body


def test_a_video_file_has_the_boxes_of_an_mp4() -> None:
    boxes = dict(iterate_boxes(make_mp4("waves")))
    assert list(boxes) == [b"ftyp", b"moov", b"free"]
    ((name, header),) = iterate_boxes(boxes[b"moov"])
    assert (name, len(header)) == (b"mvhd", 100)
    assert make_mp4("waves") != make_mp4("sand")


async def test_a_video_follows_the_clock_for_its_own_key(http: aiohttp.ClientSession) -> None:
    now = 1_000_000.0
    async with Emulator(video_seconds=10, clock=lambda: now) as gradient:
        address = URL(gradient.url + VIDEOS)
        async with http.post(address, json={"model": "m", "prompt": "p"}, headers=KEY) as response:
            video = await response.json()
        assert (video["status"], video["created_at"]) == ("queued", 1_000_000)
        seen = []
        for seconds in (2, 5, 11):
            now = 1_000_000.0 + seconds
            async with http.get(address / video["id"], headers=KEY) as response:
                seen.append((await response.json())["status"])
            async with http.get(address / video["id"] / "content", headers=KEY) as response:
                seen.append(response.status)
        assert seen == ["queued", 409, "in_progress", 409, "completed", 200]
        async with http.get(address / video["id"], headers={"Authorization": "Bearer another"}) as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        (SPEECH, {"model": "m", "input": ""}, "input must have a length of at least 1"),
        (SPEECH, {"input": "a"}, "model is required"),
        (VIDEOS, {"model": "m", "prompt": "p", "fps": 0}, "fps must be at least 1"),
        (VIDEOS, {"model": "m", "prompt": "p", "size": "large"}, "size must match"),
        (VIDEOS, {"model": "m"}, "prompt is required"),
    ],
)
async def test_a_malformed_request_is_refused(
    client: EmulatorClient, path: str, body: dict[str, Any], problem: str
) -> None:
    response = await client.send(body, path)
    assert response.status == 400
    assert problem in response.json["message"]
