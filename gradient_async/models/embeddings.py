"""The results of the embeddings API.

Source: ``POST /v1/embeddings`` of the serverless reference.
"""

from collections.abc import Iterator

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, MaybeNone, Model
from gradient_async.models.chat import Usage
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class Embedding(Model):
    """One vector; ``index`` is the position of its text in the input, from 0."""

    index: int = attrs.field(default=0, metadata=POSITION)
    object: str = "embedding"
    embedding: list[float] = attrs.field(factory=list, metadata=ESSENTIAL)


@attrs.define(kw_only=True, eq=False, repr=False)
class EmbeddingList(ResponseModel):
    """The vectors of all inputs; iteration and ``len()`` go over ``data``."""

    object: str = "list"
    model: str = ""
    data: list[Embedding] = attrs.field(factory=list, metadata=ESSENTIAL)
    usage: Usage | MaybeNone = None

    def __iter__(self) -> Iterator[Embedding]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
