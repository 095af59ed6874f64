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
class Utf8Converter:
    """Converts the blocks of the file *name* to UTF-8; blocks of UTF-8 stay as they are, with any faults.

    Attributes:
        lines: Number of line breaks so far in a file that needs conversion.
    """

    name: str
    lines: int = attrs.field(default=0, init=False)
    _decoder: codecs.IncrementalDecoder | None = attrs.field(default=None, init=False)
    _start: bytes | None = attrs.field(default=b"", init=False)
    """The first bytes, until they are enough for a byte order mark; None afterwards."""

    def feed(self, block: bytes) -> bytes:
        """Return the text of *block* in UTF-8.

        Raises:
            ConfigurationError: It is not text in the encoding of the byte order mark.
        """
        if self._start is not None:
            block = self._start + block
            if len(block) < _LONGEST_MARK and b"\n" not in block:
                self._start = block
                return b""
            self._detect_encoding(block)
        return self._convert(block, final=False)

    def feed_eof(self) -> bytes:
        """Return the text of the bytes that were kept back."""
        start, self._start = self._start, None
        if start:
            self._detect_encoding(start)
        return self._convert(start or b"", final=True)

    def _detect_encoding(self, block: bytes) -> None:
        self._start = None
        encoding = find_encoding(block)
        if encoding is not None:
            self._decoder = codecs.getincrementaldecoder(encoding)()

    def _convert(self, block: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            return block
        try:
            text = self._decoder.decode(block, final).encode()
        except (UnicodeDecodeError, UnicodeEncodeError):
            pass
        else:
            self.lines += text.count(b"\n")
            return text
        raise refuse_line(self.name, self.lines + 1, "is not valid text in the encoding of the file's byte order mark")


def find_encoding(start: bytes) -> str | None:
    """Return the encoding of a file by its byte order mark, None for UTF-8."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def refuse_line(name: str, number: int, problem: str) -> ConfigurationError:
    """Return the error for a line of the file *name*."""
    return ConfigurationError(f"{name}: line {number} {problem}.")


@attrs.define
class LineDecoder:
    """Decodes the blocks of the file *name*.

    Attributes:
        number: Number of lines so far.
    """

    name: str
    number: int = attrs.field(default=0, init=False)
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)
    _converter: Utf8Converter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._converter = Utf8Converter(self.name)

    def feed(self, block: bytes) -> list[str]:
        """Return the lines that *block* completes.

        Raises:
            ConfigurationError: A line is not text in a known encoding.
        """
        return [self._decode_line(line) for line in self._splitter.feed(self._converter.feed(block))]

    def feed_eof(self) -> list[str]:
        """Return the last line if it has no line break, as a list of at most one line."""
        lines = self._splitter.feed(self._converter.feed_eof())
        return [self._decode_line(line) for line in (*lines, *self._splitter.feed_eof())]

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
        raise refuse_line(self.name, self.number, problem)
