"""One job at the service; a split input has several."""

from __future__ import annotations

import attrs

from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async.models.batch import Batch


@attrs.define
class JobPart:
    """One job at the service.

    Attributes:
        part: The part of the input that the job processes; None if unknown.
        batch: The last known state; None before the first one.
    """

    batch_id: str
    part: InputPart | None = None
    batch: Batch | None = None

    def record_state(self, batch: Batch) -> None:
        """Keep *batch* as the last known state, with line numbers of the whole input."""
        lines_before = self.part.lines_before if self.part is not None else 0
        if lines_before:
            faults = [
                fault if fault.line is None else attrs.evolve(fault, line=fault.line + lines_before)
                for fault in batch.errors
            ]
            batch = attrs.evolve(batch, errors=faults)
        self.batch = batch
