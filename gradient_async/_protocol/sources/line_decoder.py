"""Decodes blocks of bytes into lines of text.

Contract: UTF-8, with or without a byte order mark, and UTF-16 and UTF-32 with one, as PowerShell's ``>`` writes them.
Any other bytes are refused with the number of their line: guessed text would be asked and paid for. Lines end at LF or
CRLF.
"""

from __future__ import annotations

import codecs

import attrs

from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async.errors import ConfigurationError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONGEST_MARK = 4


@attrs.define
class LineDecoder:
    """Decodes the blocks of the file *name*.

    Attributes:
        number: Number of lines so far.
    """

    name: str
    number: int = attrs.field(default=0, init=False)
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)
    _decoder: codecs.IncrementalDecoder | None = attrs.field(default=None, init=False)
    _start: bytes | None = attrs.field(default=b"", init=False)
    """The first bytes, until they are enough for a byte order mark; None afterwards."""

    def feed(self, block: bytes) -> list[str]:
        """Return the lines that *block* completes.

        Raises:
            ConfigurationError: A line is not text in a known encoding.
        """
        if self._start is not None:
            block = self._start + block
            if len(block) < _LONGEST_MARK and b"\n" not in block:
                self._start = block
                return []
            self._detect_encoding(block)
        return [self._decode_line(line) for line in self._splitter.feed(self._to_utf8(block, final=False))]

    def feed_eof(self) -> list[str]:
        """Return the last line if it has no line break, as a list of at most one line."""
        start, self._start = self._start, None
        if start:
            self._detect_encoding(start)
        lines = self._splitter.feed(self._to_utf8(start or b"", final=True))
        return [self._decode_line(line) for line in (*lines, *self._splitter.feed_eof())]

    def _detect_encoding(self, block: bytes) -> None:
        self._start = None
        encoding = next((name for mark, name in _MARKS if block.startswith(mark)), None)
        if encoding is not None:
            self._decoder = codecs.getincrementaldecoder(encoding)()

    def _to_utf8(self, block: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            return block
        try:
            return self._decoder.decode(block, final).encode()
        except (UnicodeDecodeError, UnicodeEncodeError):
            pass
        raise self._refuse_line(self.number + 1, "is not valid text in the encoding of the file's byte order mark")

    def _decode_line(self, line: bytes) -> str:
        self.number += 1
        problem = ""
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            problem = f"is not UTF-8 at byte {error.start + 1}; convert the file to UTF-8"
        else:
            if "\0" not in text:
                return text.removesuffix("\r")
            problem = "has a NUL character; the file is not text, or is UTF-16 without a byte order mark"
        raise self._refuse_line(self.number, problem)

    def _refuse_line(self, number: int, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name}: line {number} {problem}.")
