"""Speech, from the emulator over real sockets."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    CallDetails,
    CallOutcome,
    ConfigurationError,
    InternalServerError,
    MediaFile,
    ProtocolError,
    RateLimits,
    ResponseDecodeError,
)
from gradient_async.testing import Emulator

MODEL = "qwen3-tts-voicedesign"
SPEECH = "/v1/audio/speech"


async def test_speech_is_the_bytes_of_the_response_with_their_type(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    speech = await gradient_session.audio.speech.create(model=MODEL, input="Hello", voice="alloy", response_format=None)
    assert speech.content.startswith(b"RIFF")
    assert bytes(speech) == speech.content
    assert (speech.content_type, speech.suffix, speech.raw) == ("audio/wav", ".wav", {})
    assert speech.meta.request_id == gradient_emulator.requests[0].request_id
    assert gradient_emulator.requests[0].json == {"model": MODEL, "input": "Hello", "voice": "alloy"}


async def test_both_forms_of_the_response_give_the_same_file() -> None:
    files = []
    for shape in ("bytes", "base64"):
        async with (
            Emulator(speech_shape=shape) as gradient,
            AsyncSession("test", base_url=gradient.url) as session,
        ):
            files.append(await session.audio.speech.create(model=MODEL, input="Hello there"))
    one, two = files
    assert one == MediaFile(content=two.content, content_type=two.content_type)
    assert two.raw["data"][0]["b64_json"] == base64.b64encode(one.content).decode()


async def test_parameters_of_a_content_type_are_kept(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reply(body=b"\x00\x01", content_type="audio/pcm;rate=24000", path=SPEECH)
    speech = await gradient_session.audio.speech.create(model=MODEL, input="Hello")
    assert (speech.content, speech.content_type, speech.suffix) == (b"\x00\x01", "audio/pcm;rate=24000", ".pcm")


async def test_save_writes_the_file_in_place_of_an_older_one(gradient_session: AsyncSession, tmp_path: Path) -> None:
    target = tmp_path / "hello.wav"
    target.write_bytes(b"x" * 1_000_000)
    speech = await gradient_session.audio.speech.create(model=MODEL, input="Hello")
    assert speech.save(str(target)) == target
    assert target.read_bytes() == speech.content


def test_the_repr_of_a_file_omits_its_content() -> None:
    assert repr(MediaFile(content=b"x" * 10_000, content_type="audio/mpeg")) == "MediaFile('audio/mpeg', <10000 bytes>)"


@pytest.mark.parametrize(
    ("body", "content_type", "kind", "message"),
    [
        (b"", "audio/mpeg", ResponseDecodeError, "an empty file"),
        (b"<html>busy</html>", "text/html", ProtocolError, "text/html instead of a file: '<html>busy</html>'"),
        (b'{"data": []}', "application/json", ResponseDecodeError, "JSON without a file"),
        (b'{"data": [{"b64_json": "%%"}]}', "application/json", ResponseDecodeError, "not base64"),
        (b"[1, 2", "application/json", ProtocolError, "application/json instead of a file"),
        (b'{"id": "server_error", "message": "no voice"}', "application/json", InternalServerError, "no voice"),
        (b'{"error": {"message": "no voice"}}', "audio/mpeg", InternalServerError, "no voice"),
        (b"data: {}\n\n", "text/event-stream", ProtocolError, "text/event-stream instead of a file"),
    ],
)
async def test_a_response_without_audio_raises(
    gradient_session: AsyncSession,
    gradient_emulator: Emulator,
    body: bytes,
    content_type: str,
    kind: type[Exception],
    message: str,
) -> None:
    gradient_emulator.reply(body=body, content_type=content_type, path=SPEECH)
    with pytest.raises(kind, match=message) as caught:
        await gradient_session.audio.speech.create(model=MODEL, input="Hello")
    assert getattr(caught.value, "request_id", None) == gradient_emulator.requests[0].request_id


async def test_a_call_counts_at_the_limiter_and_a_500_is_not_sent_again(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(500)
    limits = RateLimits(per_minute=10, per_hour=100)
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        with pytest.raises(InternalServerError) as caught:
            await session.audio.speech.create(model=MODEL, input="Hello")
        assert caught.value.attempts == 1
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 1


async def test_a_call_hook_sees_the_speech(gradient_emulator: Emulator) -> None:
    class Calls:
        begun: list[CallDetails]
        ended: list[CallOutcome]

        def __init__(self) -> None:
            self.begun, self.ended = [], []

        def begin_call(self, call: CallDetails) -> Callable[[CallOutcome], None]:
            self.begun.append(call)
            return self.ended.append

    calls = Calls()
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[calls]) as session:
        speech = await session.audio.speech.create(model=MODEL, input="Hello")
    assert [call.model for call in calls.begun] == [MODEL]
    assert [outcome.result for outcome in calls.ended] == [speech]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"input": "Hello"}, "model must be a text that is not empty"),
        ({"model": MODEL}, "input must be a text that is not empty"),
        ({"model": MODEL, "input": ""}, "input must be a text that is not empty"),
        ({"model": MODEL, "input": "Hello", "voice": b"alloy"}, "voice is of type bytes"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await gradient_session.audio.speech.create(**params)
    assert gradient_emulator.requests == []
