"""The surroundings of a job: how it was submitted, its input and its journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._io.batch.input_file import InputFile
from gradient_async._io.batch.input_source import Source, open_input
from gradient_async._protocol.batch.api_requests import AUTO, Provider, resolve_endpoint
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.client import BatchClient
from gradient_async.resources.batch.row_lines import RowOptions, choose_rows

if TYPE_CHECKING:
    from gradient_async.resources.batch.job import BatchJob


@attrs.define(eq=False)
class JobContext:
    """The surroundings of a job.

    Attributes:
        submit: `Batches.submit`, to submit another job like this one.
        options: The options of this job's submission; empty if it was submitted elsewhere.
        input: The checked file, or a source to make it from; None if unknown.
        journal: Path of the journal; None without one.
        rows: How the rows of the source become requests.
    """

    calls: BatchClient
    submit: Callable[..., Awaitable[BatchJob]]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    input: InputFile | Source | None = None
    journal: Path | None = None
    rows: RowOptions = attrs.field(factory=RowOptions)

    def find_endpoint(self, batch: Batch) -> str | None:
        """Return the endpoint of a job: from its state, its options, or the Anthropic default; it may be absent."""
        implied = resolve_endpoint(batch.provider, AUTO) if batch.provider == "anthropic" else None
        return batch.endpoint or self.options.get("endpoint") or implied

    async def open_input(self, source: Source | None, find_batch: Callable[[], Awaitable[Batch]]) -> InputFile | None:
        """Return the input as a file, which is opened once; None if it is not known.

        Args:
            source: The input, None for the one that is known.
            find_batch: Returns the state of the job, which says how lines are encoded.
        """
        known = self.input if source is None else source
        if known is None or isinstance(known, InputFile):
            return known
        batch = await find_batch()
        provider: Provider = "anthropic" if batch.provider == "anthropic" else "openai"
        schema = LineSchema(provider, self.find_endpoint(batch) or resolve_endpoint(provider, AUTO))
        self.input = await open_input(known, schema, rows=choose_rows(known, self.rows, schema))
        return self.input
