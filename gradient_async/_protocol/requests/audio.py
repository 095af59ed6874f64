"""Speech: the request; `media_body` reads the response.

Source: ``POST /v1/audio/speech`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import build_json_post
from gradient_async._protocol.requests.parameters import require_text, without_unset
from gradient_async._protocol.requests.request import Request
from gradient_async.params import SpeechParams

_PATH = "/v1/audio/speech"
_KNOWN = SpeechParams.__required_keys__ | SpeechParams.__optional_keys__


def build_speech_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request for speech.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model or the text.
    """
    body = without_unset(params, _KNOWN)
    require_text(body, "model", "qwen3-tts-voicedesign")
    require_text(body, "input", "Hello")
    return build_json_post(_PATH, body, known=_KNOWN, timeouts=timeouts)
