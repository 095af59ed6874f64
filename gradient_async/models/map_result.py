"""The result of one item of a ``map``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic

import attrs

from gradient_async.errors import GradientError
from gradient_async.models._base import Displayed
from gradient_async.models._texts import shorten_repr, summarize_error
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.response_meta import ResponseModel, Timings

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    R = TypeVar("R", bound=ResponseModel, default=ChatCompletion)
else:
    from typing import TypeVar

    R = TypeVar("R")


@attrs.frozen(kw_only=True, repr=False)
class MapResult(Displayed, Generic[R]):
    """The result of one request of a ``map``: a completion or an error.

    Attributes:
        index: The position among the requests, from 0.
        request: The request, as the caller gave it.
        completion: The completion, None if the request failed; a `MessageReply` or `ResponseReply` of these APIs.
        error: The error, None if the request succeeded.
        timings: The durations of the call, in seconds.
        restored: Whether the completion comes from the checkpoint; nothing was sent for it.
    """

    index: int
    request: Any
    completion: R | None = None
    error: GradientError | None = None
    timings: Timings = attrs.field(factory=Timings)
    restored: bool = False

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.error is None

    @property
    def id(self) -> Any:
        """The request's own id, its ``custom_id`` or else its ``id``; None if it has neither."""
        return find_own_id(self.request)

    @property
    def text(self) -> str:
        """The text of the completion, ``""`` if there is none."""
        text: str = getattr(self.completion, "text", "")
        return text

    def __repr__(self) -> str:
        """Return the outcome without the request, which is a prompt, and with the beginning of the text alone."""
        facts = [str(self.index)]
        facts += [] if self.id is None else [f"id={shorten_repr(self.id)}"]
        facts += [shorten_repr(self.text) if self.error is None else summarize_error(self.error)]
        facts += ["restored"] if self.restored else []
        facts += [] if self.timings.total is None else [f"{self.timings.total:.2f} s"]
        return f"MapResult({', '.join(facts)})"


def find_own_id(request: object) -> Any:
    """Return the id that a request brings along, None if it has none."""
    found = (
        request.get(name) if isinstance(request, Mapping) else getattr(request, name, None)
        for name in ("custom_id", "id")
    )
    return next((own_id for own_id in found if own_id is not None), None)
