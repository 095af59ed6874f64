"""The result of one text of ``embeddings.map``."""

from __future__ import annotations

from typing import Any

import attrs

from gradient_async.errors import GradientError


@attrs.frozen(kw_only=True)
class EmbeddingResult:
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
    embedding: list[float] | None = attrs.field(default=None, repr=False)
    error: GradientError | None = None
    restored: bool = False

    @property
    def ok(self) -> bool:
        """Whether the text succeeded."""
        return self.error is None
