"""The response of an endpoint that the library does not know."""

from typing import Any

import attrs

from gradient_async.errors import ResponseDecodeError
from gradient_async.models._raw_source import load_json
from gradient_async.models.response_meta import ResponseMeta

_CHARSET = "charset="
_EXCERPT = 500


@attrs.define(kw_only=True, repr=False)
class RawReply:
    """The response of ``session.request``: its body as it is, as text or as JSON.

    Attributes:
        content: The body.
        content_type: The header ``Content-Type``; ``""`` if it is missing.
        meta: Status, request id, rate limits, headers, attempts and timings of the call.
    """

    content: bytes = b""
    content_type: str = ""
    meta: ResponseMeta = attrs.field(factory=ResponseMeta, eq=False)

    @property
    def text(self) -> str:
        """The body as text, in the charset that the response names, else in UTF-8."""
        charset = self.content_type.lower().partition(_CHARSET)[2].partition(";")[0].strip(' "')
        try:
            return self.content.decode(charset or "utf-8", errors="replace")
        except LookupError:  # a charset that Python does not know
            return self.content.decode(errors="replace")

    @property
    def raw(self) -> Any:  # any JSON value
        """The JSON value of the body, decoded on each access.

        Raises:
            ResponseDecodeError: The body is not JSON.
        """
        try:
            return load_json(self.text)
        except (ValueError, RecursionError):
            pass
        error = ResponseDecodeError("The response is not JSON; .text and .content have it.", body=self.text[:_EXCERPT])
        error.request_id, error.attempts = self.meta.request_id, self.meta.attempts
        raise error

    def __repr__(self) -> str:
        return f"RawReply(status={self.meta.status}, {self.content_type!r}, <{len(self.content)} bytes>)"
