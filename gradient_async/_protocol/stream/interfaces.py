"""The interfaces of a stream: events, the decoder of its bytes, and the accumulator of its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, TypeVar

from gradient_async.errors import GradientError

E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)
S_co = TypeVar("S_co", covariant=True)
StreamOutcome = Literal["running", "done", "length", "tool_calls", "content_filter", "cancelled", "truncated", "error"]


class Event(Protocol):
    """An event of any stream."""

    @property
    def text(self) -> str:
        """The text that it adds to the result, ``""`` if none."""
        ...

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object that it was decoded from."""
        ...


class Decoder(Protocol[E_co]):
    """Decodes the bytes of a stream into events.

    Attributes:
        done: Whether the event that ends the stream was seen.
        error: The first failure; raise it after the events before it were used.
    """

    done: bool
    error: GradientError | None

    def decode_block(self, block: bytes) -> Sequence[Iterable[E_co]]:
        """Return the events that *block* completes, in batches."""
        ...

    def decode_eof(self) -> Sequence[Iterable[E_co]]:
        """Return the events that the end of the body completes, in batches."""
        ...


class Accumulator(Protocol[S_co]):
    """Assembles the events of a stream into its result."""

    @property
    def is_complete(self) -> bool:
        """Whether the result is complete, so that the body may end here."""
        ...

    def snapshot(self) -> S_co:
        """Return the result assembled so far; later events do not change it."""
        ...


class EventAccumulator(Accumulator[S_co], Protocol[E_contra, S_co]):
    """An accumulator of an API whose events name their type."""

    def add_decoded(self, event: E_contra) -> None:
        """Add the next event as the decoder built it, before anyone could change it."""
        ...

    @property
    def has_failed(self) -> bool:
        """Whether a stream that ends here has no result: it ended with the reason ``error``, or nothing is whole."""
        ...

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, once it is complete."""
        ...

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        ...
