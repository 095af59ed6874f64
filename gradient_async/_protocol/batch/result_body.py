"""The response body inside a result line, as the class that the endpoint's own calls return.

Contract: pure. Fast path: `FastReader` builds the models directly. A body that it rejects, such as base64 vectors,
goes through the cattrs converter; both give equal fields.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import attrs
import msgspec

from gradient_async._protocol.codec.base64_vectors import decode_base64_vectors
from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async.models.batch_result import AnyResponse
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

BodyType = type[ChatCompletion] | type[MessageReply] | type[EmbeddingList] | type[ResponseReply]
BODY_TYPES: dict[str | None, BodyType] = {
    "/v1/chat/completions": ChatCompletion,
    "/v1/messages": MessageReply,
    "/v1/embeddings": EmbeddingList,
    "/v1/responses": ResponseReply,
}
RESPONSE_FIELDS: dict[BodyType, str] = {
    ChatCompletion: "choices",
    MessageReply: "content",
    EmbeddingList: "data",
    ResponseReply: "output",
}
"""The field of a body that holds the response."""


@cache
def _fast_readers() -> dict[BodyType, FastReader[Any]]:
    """Return one fast reader for each body type, built on first use."""
    return {body_type: FastReader(body_type) for body_type in BODY_TYPES.values()}


@attrs.define
class ResultBodyDecoder:
    """Decodes the response bodies of one results file.

    Attributes:
        endpoint: The endpoint of the job; without one, the type of each body is inferred from its fields.
        body_type: The class that the endpoint returns; without an endpoint, that of the last body; None if unknown.
    """

    endpoint: str | None
    body_type: BodyType | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.body_type = BODY_TYPES.get(self.endpoint)

    def decode(self, body: msgspec.Raw, body_type: BodyType | None = None) -> AnyResponse:
        """Decode *body*; *body_type* overrides the type that the endpoint returns.

        Raises:
            ResponseDecodeError: The body is not of that type.
        """
        body_type, data = body_type or self.body_type, bytes(body)
        if body_type is not None:
            with suppress(*FAST_READ_ERRORS):
                return _fast_readers()[body_type](data)  # type: ignore[no-any-return]  # one reader for four classes
        return self.convert(decode_json(data), body_type)

    def convert(self, value: Any, body_type: BodyType | None = None) -> AnyResponse:
        """Convert the JSON *value* of a body by the converter, as `decode` does.

        Raises:
            ResponseDecodeError: The body is not of that type.
        """
        body_type = body_type or self.body_type or self._infer_type(value)
        if body_type is None:
            return value if type(value) is dict else {"value": value}
        return structure(decode_base64_vectors(value) if body_type is EmbeddingList else value, body_type)

    def _infer_type(self, value: Any) -> BodyType | None:
        """Return the type of a body; without an endpoint, that of the next ones too."""
        body_type = infer_type(value)
        if body_type is not None and self.endpoint is None:
            self.body_type = body_type
        return body_type


def infer_type(value: Any) -> BodyType | None:
    """Return the type of a body by its fields; None if it is unknown."""
    if type(value) is not dict:
        return None
    if "choices" in value:
        return ChatCompletion
    if value.get("type") == "message":
        return MessageReply
    if value.get("object") == "response":
        return ResponseReply
    return EmbeddingList if value.get("object") == "list" and "data" in value else None
