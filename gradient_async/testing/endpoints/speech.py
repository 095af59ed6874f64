"""Speech: silence that lasts as long as the text would.

Contract: pure. Every file is a WAV, also for a request of another format, and its content type says so.
Source: the speech request of the Inference API reference, which allows both forms of the response.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

import attrs

from gradient_async.testing.endpoints.checks import reject_request
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.model.sample_media import make_wav
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

SpeechShape = Literal["bytes", "base64"]
_TEXT = Rule(kind="string", nullable=True)
_SPEECH = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "input": Rule(kind="string", required=True, low=1),
        "voice": _TEXT,
        "response_format": _TEXT,
        "instructions": _TEXT,
    },
)
_SECONDS_PER_WORD = 0.4
_MAX_SECONDS = 10.0


@attrs.frozen(kw_only=True)
class SpeechEndpoint:
    """The speech endpoint.

    Attributes:
        known: The slugs of the existing models; None if every model exists.
        shape: Whether a response is the file itself, or JSON that holds it.
    """

    known: Sequence[str] | None = None
    shape: SpeechShape = "bytes"

    def check_speech(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        return reject_request(request, find_problem(request.json, _SPEECH), self.known)

    def speak_text(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with the audio."""
        seconds = _SECONDS_PER_WORD * len(request.fields["input"].split())
        sound = make_wav(min(max(seconds, _SECONDS_PER_WORD), _MAX_SECONDS))
        if self.shape == "bytes":
            return apply_reply(reply, Response(pieces=(sound,), content_type="audio/wav"))
        return apply_reply(reply, json_response({"data": [{"b64_json": base64.b64encode(sound).decode()}]}))
