"""Messages: the models' answers in the shape of Anthropic's API.

Source: ``POST /v1/messages`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.reply_bodies import read_message
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.messages_and_responses import build_message_request
from gradient_async.models.messages import MessageReply
from gradient_async.params import MessagesParams

if TYPE_CHECKING:
    from gradient_async._io.stream.message_stream import MessageStream


@attrs.frozen(eq=False, repr=False, kw_only=True)
class Messages:
    """``session.messages``."""

    _pipeline: Pipeline
    _target: Callable[[], Target]
    _timeouts: Timeouts
    _max_event_bytes: int

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[MessagesParams]
    ) -> MessageReply:
        """Ask a model and return its answer.

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
            ProtocolError: The answer is not a message.
        """
        request = build_message_request(params, stream=False, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_message)

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[MessagesParams]) -> MessageStream:
        """Return the answer as a stream; the request is sent when it is entered or first read.

        Args:
            timeout: Seconds for the whole stream, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
        """
        from gradient_async._io.stream.message_stream import (
            MessageStream,  # with all that events need; many never stream
        )

        request = build_message_request(params, stream=True, timeouts=self._timeouts.override_with(timeout))
        opener = self._pipeline.build_opener(request, self._target())
        return MessageStream(opener, max_event_bytes=self._max_event_bytes)
