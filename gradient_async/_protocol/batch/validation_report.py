"""The result of checking a batch's input: its parts, its faults, and a report of both.

Contract: pure. All faults are counted, and kept up to a hundred thousand.
"""

from __future__ import annotations

import attrs

from gradient_async.errors import BatchValidationError

MAX_KEPT_FAULTS = 100_000
"""Far more than anybody reads, and small enough to keep."""


@attrs.frozen
class InputPart:
    """A range of whole lines that becomes one job: the bytes from *start* to *end* of the input.

    Attributes:
        start: Offset of the first byte.
        end: Offset after the last byte.
        requests: Number of lines with a request.
        lines_before: Number of lines of the input before this part; added to the line numbers that the service
            reports, they become line numbers of the whole input.
    """

    start: int
    end: int
    requests: int
    lines_before: int = 0

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.end - self.start


@attrs.define
class FaultList:
    """The first faults in the order of their lines, and the number of all faults.

    Attributes:
        unit: The word for a line: ``Line`` of a file, ``Row`` of a table.
    """

    unit: str = "Line"
    total: int = 0
    _kept: list[tuple[int, str]] = attrs.field(factory=list)

    def add(self, line: int, text: str) -> None:
        """Record a fault of *line*; line 0 stands for the whole input."""
        self.add_sentence(line, f"{self.unit} {line}: {text}." if line else text)

    def add_sentence(self, line: int, text: str) -> None:
        """Record a fault of *line* by a complete sentence."""
        self.total += 1
        if len(self._kept) < MAX_KEPT_FAULTS:
            self._kept.append((line, text))

    def merge_sorted(self, other: FaultList) -> None:
        """Merge the faults of another pass over the same lines, by line number."""
        self.total += other.total
        self._kept = sorted(self._kept + other._kept, key=lambda fault: fault[0])[:MAX_KEPT_FAULTS]

    @property
    def messages(self) -> tuple[str, ...]:
        """The kept faults, each beginning with its line: ``Line 42: ...``."""
        return tuple(text for _, text in self._kept)


@attrs.frozen(kw_only=True)
class ValidationReport:
    """The result of checking an input locally.

    Attributes:
        faults: The faults, up to the first hundred thousand, each as ``Line 42: missing required field 'custom_id'.``
        total: Number of all faults.
        requests: Number of lines with a request, valid or not.
        size: Size of the upload in bytes.
        parts: The jobs that the input would become; one, unless it was checked with ``split=True``.
        digest: SHA-256 of the input, if it was requested.
        hints: What the input seems to be meant for instead, a sentence each.
    """

    faults: tuple[str, ...] = ()
    total: int = 0
    requests: int = 0
    size: int = 0
    parts: tuple[InputPart, ...] = ()
    digest: str | None = attrs.field(default=None, repr=False)
    hints: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the input has no faults."""
        return self.total == 0

    def raise_for_faults(self) -> None:
        """Raise an error if the input has faults.

        Raises:
            BatchValidationError: The input has faults; the message quotes the first three.
        """
        if self.ok:
            return
        first = " ".join(self.faults[:3])
        more = f" ... and {self.total - 3} more in .faults." if self.total > 3 else ""
        hints = "".join(f" {hint}" for hint in self.hints)
        message = f"The input of the batch has {self.total} fault(s); nothing was sent. {first}{more}{hints}"
        raise BatchValidationError(message, faults=self.faults, total=self.total)
