"""Speech from text.

Source: ``POST /v1/audio/speech`` of the serverless reference.
"""

from __future__ import annotations

from typing import Unpack

import attrs

from gradient_async._protocol.http.media_body import read_media_file
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.audio import build_speech_request
from gradient_async.models.media_file import MediaFile
from gradient_async.params import SpeechParams
from gradient_async.resources.base import Resource


class Speech(Resource):
    """``session.audio.speech``."""

    async def create(self, *, timeout: float | Timeouts | None = None, **params: Unpack[SpeechParams]) -> MediaFile:
        """Return a text as speech.

        Example:
            ::

                speech = await session.audio.speech.create(
                    model="qwen3-tts-voicedesign", input="Hello, world!", voice="alloy", response_format="mp3"
                )
                speech.save(f"hello{speech.suffix}")

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `MediaFile`: ``content`` has the bytes, whether the service sent them as they are or as base64 in JSON.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no audio.
        """
        request = build_speech_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode_typed(request, self._target(), read_media_file)


@attrs.frozen(eq=False, repr=False)
class Audio:
    """``session.audio``."""

    speech: Speech
