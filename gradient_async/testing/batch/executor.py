"""The execution of a batch: reads the input file, writes the output file and the error sidecar.

Contract: handles one line per step, so that the driver decides the length of a slice. Memory is a few numbers per line.
Lines are executed in blocks and shuffled within a block, so that results are never in input order. A cancellation
truncates the files to the results of a share of the requests.
Source: the JSONL files of the Batch Inference reference; only LF ends a line.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import attrs

from gradient_async.testing.batch.lines import LineFormat, Outcome, parse_line
from gradient_async.testing.batch.result_file import ResultFile, ResultIndex

_BLOCK_LINES = 256
"""The number of lines that are shuffled together."""
_MAX_LINE_BYTES = 16 * 1024 * 1024
_MAX_ERRORS = 100
_END = object()


@attrs.define(kw_only=True, eq=False)
class BatchExecution:
    """The execution of one input file.

    Attributes:
        source: The input file.
        output: The file of successful results.
        sidecar: The file of failed results; may be *output*.
        line_format: The format of input and output lines.
        execute: Returns the outcome of a request from its request id, custom_id and body; None loses the request.
        seed: The seed of the order and of the request ids.
        max_requests: The maximum number of requests in the input file.
        share: The share of the requests to execute, from 0 to 1.
        ending: The reason why the other requests are not executed, ``"expired"`` or ``"cancelled"``.
        errors: The problems of the input file.
        validated: Whether the input file is validated.
        done: Whether the result files are complete.
    """

    source: Path
    output: ResultFile
    sidecar: ResultFile
    line_format: LineFormat
    execute: Callable[[str, str, Any], Outcome | None]
    seed: str
    max_requests: int
    share: float = 1.0
    ending: str = "expired"
    errors: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    validated: bool = attrs.field(default=False, init=False)
    done: bool = attrs.field(default=False, init=False)
    _offsets: array[int] = attrs.field(factory=lambda: array("Q"), init=False)
    _index: ResultIndex = attrs.field(init=False)
    _kept_count: int | None = attrs.field(default=None, init=False)
    _unfinished_count: int = attrs.field(default=0, init=False)
    _input: BinaryIO = attrs.field(init=False)
    _steps: Iterator[None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._index = ResultIndex(self.output, self.sidecar)
        self._input = self.source.open("rb")
        self._steps = self._run_steps()

    @property
    def total(self) -> int:
        """The number of requests; 0 before the validation, and for an invalid input file."""
        return len(self._offsets) if self.validated and not self.errors else 0

    def run_step(self) -> bool:
        """Handle one line; return False if none remains."""
        return next(self._steps, _END) is not _END

    def run_to_end(self) -> None:
        """Handle all remaining lines."""
        while self.run_step():
            pass

    def count_requests(self, share: float, *, final: bool) -> dict[str, int]:
        """Return the request counts at the time when *share* of the requests have a result.

        Args:
            share: The share, from 0 to 1.
            final: Whether expired requests count as failed.
        """
        executed = min(int(share * self.total), len(self._index))
        completed = self._index.count_succeeded(executed)
        expired = self._unfinished_count if final and self.ending == "expired" else 0
        return {"total": self.total, "completed": completed, "failed": executed - completed + expired}

    def stop_at(self, share: float) -> None:
        """Cancel the requests beyond *share* of all, and remove the results of those already executed."""
        self._kept_count = min(int(share * self.total), len(self._index))
        self._index.truncate_to(self._kept_count)
        self.ending, self.done, self._unfinished_count = "cancelled", False, 0
        self._steps = self._run_steps()

    def close_files(self) -> None:
        """Close all files."""
        self.output.close_file()
        self.sidecar.close_file()
        self._input.close()

    def _run_steps(self) -> Iterator[None]:
        if not self.validated:
            yield from self._validate_input()
        yield from self._execute_lines()
        self.output.close_file()
        self.sidecar.close_file()
        self.done = True

    def _validate_input(self) -> Iterator[None]:
        custom_ids: set[str] = set()
        del self._offsets[:], self.errors[:]
        for number, offset, raw in _iterate_lines(self._input):
            problem = _find_line_problem(raw, self.line_format, custom_ids)
            if problem is None:
                self._offsets.append(offset)
            elif len(self.errors) < _MAX_ERRORS:
                self.errors.append(_input_error(f"Line {number}: {problem}", number))
            yield
        if not self.errors and not 0 < len(self._offsets) <= self.max_requests:
            message = f"The file has {len(self._offsets)} requests; 1 to {self.max_requests} are allowed."
            self.errors.append(_input_error(message))
        self.validated = True

    def _execute_lines(self) -> Iterator[None]:
        kept_count = int(self.share * self.total) if self._kept_count is None else self._kept_count
        for position, offset in enumerate(self._shuffle_offsets()):
            if position >= kept_count:
                self._skip_line(offset)
            elif position >= len(self._index):
                self._execute_line(offset, position)
            yield

    def _shuffle_offsets(self) -> Iterator[int]:
        random = Random(self.seed)
        for start in range(0, self.total, _BLOCK_LINES):
            block = list(self._offsets[start : start + _BLOCK_LINES])
            random.shuffle(block)
            in_order = block[0] < block[-1] and block == sorted(block)
            yield from reversed(block) if in_order else block

    def _execute_line(self, offset: int, position: int) -> None:
        line = self._read_line(offset)
        custom_id = line["custom_id"]
        request_id = f"{Random(f'{self.seed} {position}').getrandbits(128):032x}"
        outcome = self.execute(request_id, custom_id, self.line_format.read_request(line))
        if outcome is not None:
            file = self.output if outcome.ok else self.sidecar
            file.write_line(self.line_format.format_result(custom_id, outcome, request_id))
        self._index.add_result(ok=outcome is None or outcome.ok)

    def _skip_line(self, offset: int) -> None:
        self._unfinished_count += 1
        line = self.line_format.format_unfinished(self._read_line(offset)["custom_id"], self.ending)
        if line is not None:
            self.sidecar.write_line(line)

    def _read_line(self, offset: int) -> Any:
        self._input.seek(offset)
        return parse_line(self._input.readline())


def _iterate_lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Yield the number, the offset and the bytes of each non-blank line."""
    file.seek(0)
    number = offset = 0
    while raw := file.readline(_MAX_LINE_BYTES + 1):
        number += 1
        if raw.strip():
            yield number, offset, raw
        offset += len(raw)
        if len(raw) > _MAX_LINE_BYTES:
            return


def _find_line_problem(raw: bytes, line_format: LineFormat, custom_ids: set[str]) -> str | None:
    if len(raw) > _MAX_LINE_BYTES:
        return f"longer than {_MAX_LINE_BYTES} bytes."
    try:
        line = parse_line(raw)
    except (ValueError, RecursionError):
        return "invalid JSON."
    if not isinstance(line, dict):
        return "expected a JSON object."
    if problem := line_format.check_line(line):
        return problem
    if line["custom_id"] in custom_ids:
        return f"duplicate custom_id {line['custom_id']!r}."
    custom_ids.add(line["custom_id"])
    return None


def _input_error(message: str, number: int | None = None) -> dict[str, Any]:
    return {"code": "invalid_input_file", "message": message, "line": number}
