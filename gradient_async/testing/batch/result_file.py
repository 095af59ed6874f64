"""The files that a batch writes, and what is remembered about them to take lines back.

Contract: three numbers per executed request, whatever its size.
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
class Sheet:
    """A file of lines that is written to its end and may be cut back."""

    path: Path
    size: int = attrs.field(default=0, init=False)
    _file: BinaryIO | None = attrs.field(default=None, init=False, repr=False)

    def write(self, value: Mapping[str, Any]) -> None:
        """Append a line."""
        if self._file is None:
            self._file = self.path.open("r+b" if self.size else "wb")
            self._file.seek(self.size)
        self.size += self._file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")

    def cut(self, size: int) -> None:
        """Drop what comes after *size* bytes."""
        self.close()
        if size < self.size:
            with self.path.open("r+b") as file:
                file.truncate(size)
        self.size = size

    def close(self) -> None:
        """Let go of the file, so that all of it can be read."""
        if self._file is not None:
            self._file.close()
            self._file = None


@attrs.define(eq=False)
class Marks:
    """Where each executed request left the two files, and how many had succeeded by then."""

    output: Sheet
    sidecar: Sheet
    _sizes: array[int] = attrs.field(factory=lambda: array("Q"), init=False, repr=False)
    _succeeded: array[int] = attrs.field(factory=lambda: array("Q"), init=False, repr=False)

    def __len__(self) -> int:
        return len(self._succeeded)

    def add(self, *, ok: bool) -> None:
        """Note that one more request was executed."""
        self._succeeded.append(self.succeeded(len(self)) + ok)
        self._sizes.extend((self.output.size, self.sidecar.size))

    def succeeded(self, count: int) -> int:
        """Return how many of the first *count* executed requests succeeded."""
        return self._succeeded[count - 1] if count else 0

    def cut(self, count: int) -> None:
        """Take back everything that was written after the first *count* requests."""
        output, sidecar = self._sizes[2 * count - 2 : 2 * count] if count else (0, 0)
        self.output.cut(output)
        self.sidecar.cut(sidecar)
        del self._succeeded[count:]
        del self._sizes[2 * count :]
