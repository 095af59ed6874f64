"""The result of one text of ``embeddings.map``."""

from __future__ import annotations

from typing import Any

import attrs

from gradient_async.errors import GradientError
from gradient_async.models._base import Displayed
from gradient_async.models._texts import summarize_error, summarize_vector


@attrs.frozen(kw_only=True, repr=False)
class EmbeddingResult(Displayed):
    """The result of one text of ``embeddings.map``: a vector or an error.

    Attributes:
        index: The position among the texts, from 0.
        text: The text, as the caller gave it.
        embedding: The vector, None if the text failed.
        error: The error, None if the text succeeded.
        restored: Whether the vector comes from the checkpoint; nothing was sent for it.
    """

    index: int
    text: Any
    embedding: list[float] | None = None
    error: GradientError | None = None
    restored: bool = False

    @property
    def ok(self) -> bool:
        """Whether the text succeeded."""
        return self.error is None

    def __repr__(self) -> str:
        """Return the outcome without the text, which may be confidential, and without the numbers."""
        outcome = summarize_vector(self.embedding or ()) if self.error is None else summarize_error(self.error)
        return f"EmbeddingResult({self.index}, {outcome}{', restored' if self.restored else ''})"
