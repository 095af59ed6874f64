"""The result files of a batch, and the index to truncate them.

Contract: the index needs three numbers for each executed request, of any size.
Source: none; JSON Lines.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import attrs


@attrs.define(eq=False)
class ResultFile:
    """A JSON Lines file that is appended to and can be truncated.

    Attributes:
        path: The file.
        size: The size in bytes.
    """

    path: Path
    size: int = attrs.field(default=0, init=False)
    _file: BinaryIO | None = attrs.field(default=None, init=False, repr=False)

    def write_line(self, value: Mapping[str, Any]) -> None:
        """Append *value* as one line."""
        if self._file is None:
            self._file = self.path.open("r+b" if self.size else "wb")
            self._file.seek(self.size)
        self.size += self._file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")

    def truncate_to(self, size: int) -> None:
        """Truncate the file to *size* bytes and close it."""
        self.close_file()
        if size < self.size:
            with self.path.open("r+b") as file:
                file.truncate(size)
        self.size = size

    def close_file(self) -> None:
        """Close the file, which flushes it; a later write opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None


@attrs.define(eq=False)
class ResultIndex:
    """The sizes of both files and the number of successes after each executed request.

    Example: after a success of 10 bytes, a failure of 20 and a success of 12, the sizes are (10, 0), (10, 20), (22, 20)
    and the successes 1, 1, 2. ``truncate_to(2)`` truncates the files to 10 and 20 bytes.
    """

    output: ResultFile
    sidecar: ResultFile
    _sizes: array[int] = attrs.field(factory=lambda: array("Q"), init=False, repr=False)
    _succeeded: array[int] = attrs.field(factory=lambda: array("Q"), init=False, repr=False)

    def __len__(self) -> int:
        return len(self._succeeded)

    def add_result(self, *, ok: bool) -> None:
        """Add an executed request."""
        self._succeeded.append(self.count_succeeded(len(self)) + ok)
        self._sizes.extend((self.output.size, self.sidecar.size))

    def count_succeeded(self, count: int) -> int:
        """Return the number of successes among the first *count* executed requests."""
        return self._succeeded[count - 1] if count else 0

    def truncate_to(self, count: int) -> None:
        """Remove the results after the first *count* executed requests from both files."""
        output, sidecar = self._sizes[2 * count - 2 : 2 * count] if count else (0, 0)
        self.output.truncate_to(output)
        self.sidecar.truncate_to(sidecar)
        del self._succeeded[count:]
        del self._sizes[2 * count :]
