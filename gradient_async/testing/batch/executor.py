"""The work behind a batch: reads the input file, writes the output file and the error sidecar.

Contract: does one line per step, so that its driver decides how long a slice is; memory is a few numbers per
line. Lines are executed block by block, shuffled within a block: results are never in the order of the input.
What was written can be taken back to any share of the work, as a cancellation does.
Source: the JSONL files of the Batch Inference reference; lines end with LF and with nothing else.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import attrs

from gradient_async.testing.batch.lines import Dialect, Outcome, line_fault, parse
from gradient_async.testing.batch.result_file import Marks, Sheet

BLOCK = 256
"""Lines that are shuffled together."""
LONGEST_LINE = 16 * 1024 * 1024
_MOST_ERRORS = 100


@attrs.define(kw_only=True, eq=False)
class Run:
    """The execution of one input file.

    Attributes:
        source: The input file.
        output: Where results go.
        sidecar: Where those of failed requests go; may be the same.
        dialect: How lines look.
        execute: Returns the outcome of a request, given its request id, custom_id and body; None to lose it.
        seed: Decides about the order, and the request ids.
        most: The most requests that a file may have.
        share: The share of the requests to execute.
        ending: What becomes of the others, ``"expired"`` or ``"cancelled"``.
        errors: What is wrong with the input file.
        validated: Whether that is known.
        done: Whether the files are complete.
    """

    source: Path
    output: Sheet
    sidecar: Sheet
    dialect: Dialect
    execute: Callable[[str, str, Any], Outcome | None]
    seed: str
    most: int
    share: float = 1.0
    ending: str = "expired"
    errors: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    validated: bool = attrs.field(default=False, init=False)
    done: bool = attrs.field(default=False, init=False)
    _offsets: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _marks: Marks = attrs.field(init=False)
    _kept: int | None = attrs.field(default=None, init=False)
    _unfinished: int = attrs.field(default=0, init=False)
    _input: BinaryIO = attrs.field(init=False)
    _steps: Iterator[None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._marks = Marks(self.output, self.sidecar)
        self._input = self.source.open("rb")
        self._steps = self._all()

    @property
    def total(self) -> int:
        """The number of requests; 0 until the input file was found to be valid."""
        return len(self._offsets) if self.validated and not self.errors else 0

    def step(self) -> bool:
        """Do one line; False if there is nothing left to do."""
        return next(self._steps, self) is None

    def finish(self) -> None:
        """Do everything that is left."""
        while self.step():
            pass

    def counts(self, share: float, *, final: bool) -> dict[str, int]:
        """Return the request counts when *share* of the requests have a result.

        Args:
            share: The share, from 0 to 1.
            final: Whether requests that expired count as failed.
        """
        worked = min(int(share * self.total), len(self._marks))
        completed = self._marks.succeeded(worked)
        expired = self._unfinished if final and self.ending == "expired" else 0
        return {"total": self.total, "completed": completed, "failed": worked - completed + expired}

    def halt(self, share: float) -> None:
        """Cancel what was not executed, and what is beyond *share* of the requests even if it was."""
        self._kept = min(int(share * self.total), len(self._marks))
        self._marks.cut(self._kept)
        self.ending, self.done, self._unfinished = "cancelled", False, 0
        self._steps = self._all()

    def close(self) -> None:
        """Let go of every file."""
        self.output.close()
        self.sidecar.close()
        self._input.close()

    def _all(self) -> Iterator[None]:
        if not self.validated:
            yield from self._validate()
        yield from self._work()
        self.output.close()
        self.sidecar.close()
        self.done = True

    def _validate(self) -> Iterator[None]:
        seen: set[str] = set()
        del self._offsets[:], self.errors[:]
        for number, offset, raw in _numbered(self._input):
            self._inspect(number, offset, raw, seen)
            yield
        if not self.errors and not 0 < len(self._offsets) <= self.most:
            message = f"The file has {len(self._offsets)} requests; 1 to {self.most} are allowed."
            self.errors.append(_error(message))
        self.validated = True

    def _inspect(self, number: int, offset: int, raw: bytes, seen: set[str]) -> None:
        fault = _fault(raw, self.dialect, seen)
        if fault is None:
            self._offsets.append(offset)
        elif len(self.errors) < _MOST_ERRORS:
            self.errors.append(_error(f"Line {number}: {fault}", number))

    def _work(self) -> Iterator[None]:
        kept = int(self.share * self.total) if self._kept is None else self._kept
        for place, offset in enumerate(self._order()):
            if place >= kept:
                self._pass_over(offset)
            elif place >= len(self._marks):
                self._execute(offset, place)
            yield

    def _order(self) -> Iterator[int]:
        random = Random(self.seed)
        for start in range(0, self.total, BLOCK):
            block = list(self._offsets[start : start + BLOCK])
            random.shuffle(block)
            in_order = block[0] < block[-1] and block == sorted(block)
            yield from reversed(block) if in_order else block

    def _execute(self, offset: int, place: int) -> None:
        line = self._line(offset)
        custom_id = line["custom_id"]
        request_id = f"{Random(f'{self.seed} {place}').getrandbits(128):032x}"
        outcome = self.execute(request_id, custom_id, self.dialect.request(line))
        if outcome is not None:
            sheet = self.output if outcome.ok else self.sidecar
            sheet.write(self.dialect.result(custom_id, outcome, request_id))
        self._marks.add(ok=outcome is None or outcome.ok)

    def _pass_over(self, offset: int) -> None:
        self._unfinished += 1
        line = self.dialect.unfinished(self._line(offset)["custom_id"], self.ending)
        if line is not None:
            self.sidecar.write(line)

    def _line(self, offset: int) -> Any:
        self._input.seek(offset)
        return parse(self._input.readline())


def _numbered(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Yield the number, the offset and the bytes of each line that is not blank."""
    file.seek(0)
    number = offset = 0
    while raw := file.readline(LONGEST_LINE + 1):
        number += 1
        if raw.strip():
            yield number, offset, raw
        offset += len(raw)
        if len(raw) > LONGEST_LINE:
            return


def _fault(raw: bytes, dialect: Dialect, seen: set[str]) -> str | None:
    if len(raw) > LONGEST_LINE:
        return f"longer than {LONGEST_LINE} bytes."
    try:
        line = parse(raw)
    except (ValueError, RecursionError):
        return "invalid JSON."
    if fault := line_fault(line, dialect):
        return fault
    if line["custom_id"] in seen:
        return f"duplicate custom_id {line['custom_id']!r}."
    seen.add(line["custom_id"])
    return None


def _error(message: str, number: int | None = None) -> dict[str, Any]:
    return {"code": "invalid_input_file", "message": message, "line": number}
