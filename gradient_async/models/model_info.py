"""The results of the models API.

Source: ``GET /v1/models`` of the serverless reference.
"""

from collections.abc import Iterator

import attrs

from gradient_async.models._base import ESSENTIAL, Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class ModelInfo(Model):
    """A model that the key may use; ``id`` is the value for ``model=``."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = ""


@attrs.define(kw_only=True, eq=False, repr=False)
class ModelList(ResponseModel):
    """Every model that the key may use; iteration and ``len()`` go over ``data``."""

    object: str = "list"
    data: list[ModelInfo] = attrs.field(factory=list, metadata=ESSENTIAL)

    def __iter__(self) -> Iterator[ModelInfo]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)
