"""Responses: results of models as lists of items, in the form of OpenAI's Responses API.

Source: ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import attrs

from gradient_async._protocol.http.reply_bodies import read_response
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.messages_and_responses import build_response_request
from gradient_async.models.responses import ResponseReply
from gradient_async.params import ResponsesParams
from gradient_async.resources.base import StreamingResource

if TYPE_CHECKING:
    from gradient_async._io.stream.response_stream import ResponseStream


@attrs.frozen(eq=False, repr=False, kw_only=True)
class Responses(StreamingResource):
    """``session.responses``."""

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[ResponsesParams]
    ) -> ResponseReply:
        """Send one request and return the response.

        Example:
            ``response = await session.responses.create(model=M, input="Hello")``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `ResponseReply`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not a response object.
        """
        request = build_response_request(params, stream=False, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_response)

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ResponsesParams]) -> ResponseStream:
        """Return the response as a stream; the request is sent when the stream is entered or first read.

        Example:
            ``async for text in session.responses.stream(model=M, input="Hello").text(): ...``

        Args:
            timeout: As for `create`; a number of seconds covers the whole stream.
            **params: As for `create`.

        Returns:
            The `ResponseStream`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
        """
        from gradient_async._io.stream.response_stream import ResponseStream  # many programs never stream

        request = build_response_request(params, stream=True, timeouts=self._timeouts.override_with(timeout))
        return self._new_stream(ResponseStream, request)
