"""Server-sent events for those who pass a stream on.

Contract: what comes out is a valid event stream in the service's own form: chunks as they arrived, unknown fields
included; then ``[DONE]``, or the error as an event of the shape that OpenAI-compatible clients understand.
"""

from __future__ import annotations

from gradient_async._protocol.codec import encode_json
from gradient_async.errors import APIStatusError, GradientError
from gradient_async.models import ChatCompletionChunk

DONE = b"data: [DONE]\n\n"


def chunk_event(chunk: ChatCompletionChunk) -> bytes:
    """Return *chunk* as an event."""
    return b"data: %b\n\n" % encode_json(chunk.raw)


def error_event(error: GradientError) -> bytes:
    """Return *error* as an event: its message, code, class and request id, and nothing else of it."""
    code = error.code if isinstance(error, APIStatusError) else None
    facts = {"message": error.message, "type": type(error).__name__, "code": code, "request_id": error.request_id}
    return b"data: %b\n\n" % encode_json({"error": facts})
