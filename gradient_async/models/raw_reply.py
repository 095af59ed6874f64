"""The response of an endpoint that the library does not know."""

import attrs

from gradient_async.models._raw_source import load_json
from gradient_async.models.response_meta import ResponseMeta

_CHARSET = "charset="


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
    def raw(self) -> object:
        """The JSON value of the body, decoded on each access.

        Raises:
            ValueError: The body is not JSON.
        """
        return load_json(self.text)

    def __repr__(self) -> str:
        return f"RawReply(status={self.meta.status}, {self.content_type!r}, <{len(self.content)} bytes>)"
