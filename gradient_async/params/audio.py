"""The parameters of speech.

Source: ``POST /v1/audio/speech`` of the serverless reference.
"""

from __future__ import annotations

from typing import Required

from gradient_async.params import ExtraParams


class SpeechParams(ExtraParams, total=False):
    """The parameters of speech.

    Attributes:
        model: Slug of a text-to-speech model.
        input: Text to speak.
        voice: Name of the voice, as ``"alloy"``.
        response_format: File format, as ``"mp3"`` or ``"wav"``.
        instructions: How to speak.
    """

    model: Required[str]
    input: Required[str]
    voice: str | None
    response_format: str | None
    instructions: str | None
