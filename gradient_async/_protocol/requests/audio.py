"""Speech: the request; `media_body` reads the response.

Source: ``POST /v1/audio/speech`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.request import Request
from gradient_async.params import SpeechParams

_PATH = "/v1/audio/speech"
_POST = PostBuilder(SpeechParams, model="qwen3-tts-voicedesign", input="Hello")


def build_speech_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request for speech.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model or the text.
    """
    body = _POST.read_params(params)
    return _POST.build_request(_PATH, body, timeouts=timeouts)
