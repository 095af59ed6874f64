"""The stream of an API whose events name their type: the messages, the responses and the images API.

An API is described by an `EventFormat`; a subclass adds its public names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from gradient_async._io.stream.base_stream import BaseStream
from gradient_async._io.stream.stream_reader import Follow, Opener, follow_each
from gradient_async._protocol.http.error_detection import failed_choice_error
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.accelerators.dialect_template import TextHoles
from gradient_async._protocol.stream.accelerators.fast_event_accumulator import FastEventAccumulator
from gradient_async._protocol.stream.accelerators.fast_event_decoder import FastEventDecoder
from gradient_async._protocol.stream.event_decoder import Dialect, EventDecoder
from gradient_async.errors import GradientError

if TYPE_CHECKING:  # each stream imports the classes of its own events only
    from gradient_async._protocol.stream.interfaces import Decoder, EventAccumulator, StreamOutcome
    from gradient_async.models.image_event import ImageEvent
    from gradient_async.models.images import ImageList
    from gradient_async.models.message_event import MessageEvent
    from gradient_async.models.messages import MessageReply
    from gradient_async.models.response_event import ResponseEvent
    from gradient_async.models.responses import ResponseReply

E = TypeVar("E", bound="ImageEvent | MessageEvent | ResponseEvent")
S = TypeVar("S", bound="ImageList | MessageReply | ResponseReply")


@attrs.frozen(kw_only=True)
class EventFormat(Generic[E, S]):
    """The events of one API, and the functions that read them.

    Attributes:
        dialect: The event types.
        accumulator: Returns an empty accumulator.
        decode_json_body: Returns the events of a JSON body, sent in place of a stream, with its content type.
        has_token: Whether an event carries generated output.
        failure: Returns the error of a stream that ended and whose accumulator says that it has failed.
        holes: The values in which many events in a row differ; None if they are not read as runs.
    """

    dialect: Dialect[E]
    accumulator: Callable[[], EventAccumulator[E, S]]
    decode_json_body: Callable[[bytes, str], Iterable[E]]
    has_token: Callable[[E], bool]
    failure: Callable[[], GradientError] = failed_choice_error
    holes: TextHoles[E] | None = None

    def new_decoder(self, max_event_bytes: int) -> Decoder[E]:
        """Return the decoder of a stream."""
        if self.holes is None:
            return EventDecoder(self.dialect, max_event_bytes=max_event_bytes)
        return FastEventDecoder(self.dialect, self.holes, max_event_bytes=max_event_bytes)


class EventStream(BaseStream[E, S]):
    """The typed events of a response as they arrive, and the result assembled from them."""

    __slots__ = ()
    _format: EventFormat[E, S]
    _accumulator: EventAccumulator[E, S]

    def __init__(
        self,
        opener: Opener,
        *,
        decoder: Decoder[E] | None = None,
        accumulator: EventAccumulator[E, S] | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        decoder = decoder or self._format.new_decoder(max_event_bytes)
        accumulator = accumulator or self._format.accumulator()
        follow: Follow[E] = (
            accumulator.follow
            if isinstance(accumulator, FastEventAccumulator)
            else follow_each(accumulator.add_decoded)
        )
        super().__init__(opener, decoder, accumulator, self._format.decode_json_body, follow)

    def _completion_error(self) -> GradientError | None:
        has_failed = self._decoder.error is None and self._accumulator.has_failed
        return self._format.failure() if has_failed else super()._completion_error()

    def _final_outcome(self) -> StreamOutcome:
        return self._accumulator.outcome

    def _has_token(self, event: E) -> bool:
        return self._format.has_token(event)

    def _output_tokens(self) -> int | None:
        return self._accumulator.output_tokens
