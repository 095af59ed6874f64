"""The results of the embeddings API.

Source: ``POST /v1/embeddings`` of the serverless reference.
"""

from collections.abc import Iterator

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, MaybeNone, Model
from gradient_async.models._texts import summarize_vector
from gradient_async.models.chat import Usage
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class Embedding(Model):
    """One vector; ``index`` is the position of its text in the input, from 0."""

    index: int = attrs.field(default=0, metadata=POSITION)
    object: str = "embedding"
    embedding: list[float] = attrs.field(factory=list, metadata=ESSENTIAL)

    def __repr__(self) -> str:
        return f"Embedding(index={self.index}, {summarize_vector(self.embedding)})"


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

    def __repr__(self) -> str:
        sizes = sorted({len(each.embedding) for each in self.data})
        shape = f"{len(self)} vectors of {' or '.join(map(str, sizes))} dimensions" if sizes else "no vectors"
        return f"EmbeddingList({shape}, model={self.model!r}, usage={self.usage!r})"
