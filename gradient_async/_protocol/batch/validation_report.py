"""What is found out about a batch's input: its parts, its faults, and the report of both.

Contract: pure. All faults are counted, the first hundred are kept.
"""

from __future__ import annotations

import attrs

from gradient_async.errors import BatchValidationError

SHOWN = 100


@attrs.frozen
class InputPart:
    """A run of whole lines that becomes one job: the bytes from *start* to *end* of the input.

    Attributes:
        lines_before: Lines of the input before it, to translate the line numbers of the service.
    """

    start: int
    end: int
    requests: int
    lines_before: int = 0

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.start


@attrs.define
class Faults:
    """The first faults in the order of their lines, and how many there are in all."""

    total: int = 0
    _first: list[tuple[int, str]] = attrs.field(factory=list)

    def add(self, line: int, text: str) -> None:
        """Note a fault of *line*; 0 stands for the whole input."""
        self.total += 1
        if len(self._first) < SHOWN:
            self._first.append((line, f"Line {line}: {text}." if line else text))

    def merge(self, other: Faults) -> None:
        """Add the faults of another pass over the same lines."""
        self.total += other.total
        self._first = sorted(self._first + other._first, key=lambda fault: fault[0])[:SHOWN]

    @property
    def texts(self) -> tuple[str, ...]:
        """The first of them, as sentences that begin with ``Line 42:``."""
        return tuple(text for _, text in self._first)


@attrs.frozen(kw_only=True)
class ValidationReport:
    """What is known of an input after it was checked.

    Attributes:
        faults: The first hundred, each as ``Line 42: missing required field 'custom_id'.``
        total: How many faults there are in all.
        requests: Lines with a request, right or wrong.
        size: Bytes, as they would be uploaded.
        parts: The jobs it would become; one, unless splitting was asked for.
        digest: SHA-256 of the input, if it was asked for.
    """

    faults: tuple[str, ...] = ()
    total: int = 0
    requests: int = 0
    size: int = 0
    parts: tuple[InputPart, ...] = ()
    digest: str | None = attrs.field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.total == 0

    def raise_for_faults(self) -> None:
        """Raise a `BatchValidationError` if anything is wrong."""
        if self.ok:
            return
        first = " ".join(self.faults[:3])
        more = f" ... and {self.total - 3} more in .faults." if self.total > 3 else ""
        message = f"The input of the batch has {self.total} fault(s); nothing was sent. {first}{more}"
        raise BatchValidationError(message, faults=self.faults, total=self.total)
