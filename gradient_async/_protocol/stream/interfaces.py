"""What a stream is made of: events, something that makes them of bytes, and something that adds them up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol, TypeVar

from gradient_async.errors import GradientError

E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)
S_co = TypeVar("S_co", covariant=True)
StreamOutcome = Literal["running", "done", "length", "tool_calls", "content_filter", "cancelled", "truncated", "error"]


class Event(Protocol):
    """What every event of a stream has."""

    @property
    def text(self) -> str:
        """The text it adds to the answer, ``""`` if none."""
        ...

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object it came as."""
        ...


class Decoder(Protocol[E_co]):
    """From the bytes of a stream to its events.

    Attributes:
        done: Whether the event that ends the stream was seen.
        error: What went wrong, to be raised once the events before it were used.
    """

    done: bool
    error: GradientError | None

    def feed(self, block: bytes) -> Iterator[E_co]:
        """Return the events that *block* completes."""
        ...

    def feed_eof(self) -> Iterator[E_co]:
        """Return the events that the end of the body completes."""
        ...


class Accumulator(Protocol[E_contra, S_co]):
    """From events to what they add up to."""

    @property
    def is_complete(self) -> bool:
        """Whether what arrived is whole, so that the body may end."""
        ...

    def add_decoded(self, event: E_contra) -> None:
        """Add the next event, before anyone could change it."""
        ...

    def snapshot(self) -> S_co:
        """Return what has been assembled so far."""
        ...


class EventAccumulator(Accumulator[E_contra, S_co], Protocol[E_contra, S_co]):
    """An accumulator of the messages or the responses API."""

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, once it is complete."""
        ...

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        ...
