"""Messages: results of models in the form of Anthropic's API.

Source: ``POST /v1/messages`` of the serverless reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import attrs

from gradient_async._protocol.http.reply_bodies import read_message
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.messages_and_responses import build_message_request
from gradient_async.models.messages import MessageReply
from gradient_async.params import MessagesParams
from gradient_async.resources.base import StreamingResource

if TYPE_CHECKING:
    from gradient_async._io.stream.message_stream import MessageStream


@attrs.frozen(eq=False, repr=False, kw_only=True)
class Messages(StreamingResource):
    """``session.messages``."""

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[MessagesParams]
    ) -> MessageReply:
        """Send one request and return the message.

        Example:
            ``message = await session.messages.create(model=M, max_tokens=500, messages=messages)``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `MessageReply`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not a message object.
        """
        request = build_message_request(params, stream=False, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_message)

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[MessagesParams]) -> MessageStream:
        """Return the message as a stream; the request is sent when the stream is entered or first read.

        Example:
            ``async for text in session.messages.stream(model=M, max_tokens=500, messages=messages).text(): ...``

        Args:
            timeout: As for `create`; a number of seconds covers the whole stream.
            **params: As for `create`.

        Returns:
            The `MessageStream`.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
        """
        from gradient_async._io.stream.message_stream import MessageStream  # many programs never stream

        request = build_message_request(params, stream=True, timeouts=self._timeouts.override_with(timeout))
        return self._new_stream(MessageStream, request)
