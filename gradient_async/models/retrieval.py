"""The results of the knowledge base API.

Source: ``POST /v1/{knowledge_base_id}/retrieve`` of the knowledge base API.
"""

from collections.abc import Iterator
from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class RetrievedPassage(Model):
    """A passage of a document in a knowledge base.

    Attributes:
        text_content: The text of the passage.
        metadata: Where the passage is from, such as its ``item_name`` and ``page_number``.
    """

    text_content: str = attrs.field(default="", metadata=ESSENTIAL)
    metadata: dict[str, Any] = attrs.field(factory=dict)


@attrs.define(kw_only=True, eq=False, repr=False)
class RetrievedPassages(ResponseModel):
    """The passages that a query found, the best first; iteration and ``len()`` go over ``results``.

    Attributes:
        total_results: Number of passages, as the service counts them; None if it does not say.
    """

    results: list[RetrievedPassage] = attrs.field(factory=list, metadata=ESSENTIAL)
    total_results: int | None = None

    def __iter__(self) -> Iterator[RetrievedPassage]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)
