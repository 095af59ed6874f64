"""The parameters of speech.

Source: ``POST /v1/audio/speech`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict


class SpeechParams(TypedDict, total=False):
    """The parameters of speech.

    Attributes:
        model: Slug of a text-to-speech model.
        input: Text to speak.
        voice: Name of the voice, as ``"alloy"``.
        response_format: File format, as ``"mp3"`` or ``"wav"``.
        instructions: How to speak.
        extra_body: Fields merged into the request body unchanged.
        extra_headers: Headers added to the request; those of the session cannot be replaced.
    """

    model: Required[str]
    input: Required[str]
    voice: str | None
    response_format: str | None
    instructions: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
