"""Lines out of blocks of bytes.

Contract: a line ends at LF and nowhere else: not at CR, U+2028 or U+0085, which may stand inside a JSON string.
A byte order mark before the first line is dropped. Linear in the number of bytes, however long a line is and however
the blocks are cut.

Source: jsonlines.org.
"""

from __future__ import annotations

import attrs

BOM = b"\xef\xbb\xbf"


@attrs.define
class LineSplitter:
    """Cuts blocks into lines, without their LF.

    Attributes:
        dropped: Bytes of the byte order mark, if there was one.
    """

    dropped: int = attrs.field(default=0, init=False)
    _begun: bool = attrs.field(default=False, init=False)
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
        return lines if self._begun else self._first(lines)

    def feed_eof(self) -> list[bytes]:
        """Return the last line if it has no LF; a list of none or one."""
        rest = b"".join(self._tail)
        self._tail.clear()
        lines = [rest] if rest else []
        return lines if self._begun else [line for line in self._first(lines) if line]

    def _first(self, lines: list[bytes]) -> list[bytes]:
        if lines:
            self._begun = True
            self.dropped = len(BOM) if lines[0].startswith(BOM) else 0
            lines[0] = lines[0][self.dropped :]
        return lines
