"""The answer inside a result, as the class that the endpoint's own calls return.

Contract: pure. What the forms of the classes refuse (base64 vectors too) goes the way of every other answer, and the
two agree on every field.
"""

from __future__ import annotations

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

BodyType = type[ChatCompletion] | type[MessageReply] | type[EmbeddingList]
BODY_TYPES: dict[str | None, BodyType] = {
    "/v1/chat/completions": ChatCompletion,
    "/v1/messages": MessageReply,
    "/v1/embeddings": EmbeddingList,
}


@cache
def _quick_readers() -> dict[BodyType, FastReader[Any]]:
    """Return what decodes most answers of each kind."""
    return {kind: FastReader(kind) for kind in BODY_TYPES.values()}


@attrs.define
class ResultBodyDecoder:
    """Decodes the answers of one file; without an endpoint it looks at each to see what it is.

    Attributes:
        kind: What the endpoint returns; None if that is not known.
    """

    endpoint: str | None
    kind: BodyType | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.kind = BODY_TYPES.get(self.endpoint)

    def decode(self, body: msgspec.Raw, kind: BodyType | None = None) -> AnyResponse:
        """Return the answer in *body*, of a *kind* that may be known better than from the endpoint.

        Raises:
            ResponseDecodeError: It is no such answer.
        """
        kind, text = kind or self.kind, bytes(body)
        if kind is None:
            return self._structured(text, None)
        try:
            return _quick_readers()[kind](text)  # type: ignore[no-any-return]  # the kind is of no one class
        except FAST_READ_ERRORS:
            return self._structured(text, kind)

    def _structured(self, text: bytes, kind: BodyType | None) -> AnyResponse:
        value = decode_json(text)
        kind = kind or _kind_of(value)
        if kind is None:
            return value if type(value) is dict else {"value": value}
        if kind is EmbeddingList:
            value = decode_base64_vectors(value)
        return structure(value, kind)


def _kind_of(value: Any) -> BodyType | None:
    if type(value) is not dict:
        return None
    if "choices" in value:
        return ChatCompletion
    if value.get("type") == "message":
        return MessageReply
    return EmbeddingList if value.get("object") == "list" and "data" in value else None
