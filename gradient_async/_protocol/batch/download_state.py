"""The state of a resumable download.

Contract: pure. A download survives lost connections and expired URLs because its state is independent of both: the
bytes handed out (*offset*), the size of the file and its ETag. All of them count stored bytes, so a stored content
coding changes nothing here; `gradient_async._protocol.batch.content_coding` unpacks it.

Example, a file of 10 bytes over three connections:

    request                             response                                offset after reading
    GET url                             200, Content-Length: 10, ETag "e"       4, then the connection is lost
    GET url, Range: bytes=4-            403: the URL has expired                4
    GET fresh url, Range: bytes=4-      206, Content-Range: bytes 4-9/10        10: complete

Other responses to the second request: 200 sends the file from its start, and the first 4 bytes are skipped; another
ETag or size means another file, an error. No If-Range is sent, because storage hosts ignore it.

A 416 at offset 10 with ``bytes */10`` means that everything has arrived. Many hosts state no size there: then the
whole file is requested once more, without Range, and its size and ETag are compared:

    GET url, Range: bytes=10-           416                                     10
    GET url                             200, Content-Length: 10, ETag "e"       10: complete, the body is not read
    GET url                             200, Content-Length: 12, ETag "e"       12: the first 10 bytes are skipped

Source: RFC 9110 section 14 (ranges); responses of S3, Ceph, moto and other storage hosts; for `read_md5` "Common
response headers" of the S3 API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from gradient_async.errors import ProtocolError

RANGE_NOT_SATISFIABLE = 416
_SIZE = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(rf"bytes (?:({_SIZE.pattern})-({_SIZE.pattern})|\*)/({_SIZE.pattern}|\*)")
_MD5_TAG = re.compile(r'"?([0-9a-f]{32})"?', re.IGNORECASE)


@attrs.frozen
class ContentRange:
    """The bytes of the file in a response: from *start* to the end of the file.

    Attributes:
        start: Offset of the first byte; None if the response has no bytes and does not say where the file ends.
        total: Size of the whole file in bytes; None if the response does not state it.
    """

    start: int | None
    total: int | None


def read_content_range(status: int, headers: Mapping[str, str]) -> ContentRange:
    """Return the bytes of the file that a response with status 200, 206 or 416 contains.

    Raises:
        ProtocolError: It is a part of the file, and does not say which.
    """
    length = headers.get("Content-Length", "")
    if status == 200:
        return ContentRange(0, int(length) if _SIZE.fullmatch(length) else None)
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if status == RANGE_NOT_SATISFIABLE:
        total = int(found[3]) if found is not None and found[3] != "*" else None
        return ContentRange(total, total)
    if found is None or found[1] is None:
        raise ProtocolError("The storage host sent a part of the file without a valid Content-Range.")
    return ContentRange(int(found[1]), None if found[3] == "*" else int(found[3]))


def read_md5(headers: Mapping[str, str]) -> str | None:
    """Return the MD5 of the stored file, which the ETag of a file stored in one piece is; None if it is not known.

    The ETag of several pieces has a suffix such as ``-7``. With keys of a key service or of the customer an ETag looks
    like an MD5 and is none.
    """
    found = _MD5_TAG.fullmatch(headers.get("ETag", ""))
    if found is None or "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    is_plain = headers.get("x-amz-server-side-encryption", "AES256").upper() == "AES256"
    return found[1].lower() if is_plain else None


@attrs.define
class DownloadState:
    """The progress of a download, over any number of connections and URLs.

    Attributes:
        offset: Number of bytes handed out.
        total: Size of the file in bytes; None until a response states it.
        etag: ETag of the file; another ETag means another file.
        md5: MD5 of the file in hexadecimal; None if unknown, or not known from the first byte on.
        coding: The stored ``Content-Encoding``.
        changed: Whether a response was of another file, so that the bytes handed out are worthless.
        skip: Number of bytes still to drop because the host sent the file from its start again.
    """

    offset: int = 0
    total: int | None = None
    etag: str | None = None
    md5: str | None = None
    coding: str = attrs.field(default="", init=False)
    changed: bool = attrs.field(default=False, init=False)
    skip: int = attrs.field(default=0, init=False)
    _asks_whole: bool = attrs.field(default=False, init=False)
    """Whether the host refused the range without stating the size, so that the whole file is requested."""
    _has_all: bool = attrs.field(default=False, init=False)

    def request_headers(self) -> dict[str, str]:
        """Return the request headers for the bytes from *offset* on."""
        headers = {"Accept-Encoding": "identity"}
        if self.offset and not self._asks_whole:
            headers["Range"] = f"bytes={self.offset}-"
        return headers

    def start_response(self, status: int, headers: Mapping[str, str]) -> bool:
        """Continue with a response of status 200, 206 or 416.

        Returns:
            Whether its body is to be read; if not, the file is complete, or it is to be requested again.

        Raises:
            ProtocolError: The response is of another file, or starts at another byte than *offset*.
        """
        content = read_content_range(status, headers)
        if status == RANGE_NOT_SATISFIABLE:
            return self._end_range(content.total)
        self._require_same_file(content.total, headers.get("ETag"))
        start = content.start or 0
        if start > self.offset or (status != 200 and start != self.offset):
            raise ProtocolError(f"The storage host sent the file from byte {start}, not {self.offset}.")
        self.skip = self.offset - start
        self.etag = headers.get("ETag") or self.etag
        self.total = content.total if content.total is not None else self.total
        self.md5 = read_md5(headers) if self.md5 is not None or not self.offset else None
        self.coding = headers.get("Content-Encoding", "")
        self._has_all = self._asks_whole and self.offset == self.total
        return not self._has_all

    def accept_block(self, block: bytes) -> bytes:
        """Return the new bytes of *block* and advance *offset*; skipped bytes are dropped.

        Raises:
            ProtocolError: The response has more bytes than the file.
        """
        if self.skip:
            dropped = min(self.skip, len(block))
            self.skip -= dropped
            block = block[dropped:]
        self.offset += len(block)
        if self.total is not None and self.offset > self.total:
            raise ProtocolError("The storage host sent more bytes than the file has.")
        return block

    @property
    def is_complete(self) -> bool:
        """Whether every byte has arrived. A file of unknown size is complete when its response ends."""
        return self._has_all or (self.skip == 0 and (self.total is None or self.offset == self.total))

    @property
    def ended_early(self) -> bool:
        """Whether the file proved complete without its body being read."""
        return self._has_all

    def _end_range(self, total: int | None) -> bool:
        """Continue after a refused range; *total* is the size that the refusal stated."""
        known = self.total if total is None else total
        if known is not None and known != self.offset:
            raise self._changed_error()
        if known is None and (self._asks_whole or not self.offset):
            raise ProtocolError("The storage host sent no byte of the file, and not its size either.")
        self._asks_whole, self._has_all, self.total = True, known is not None, known
        return False

    def _require_same_file(self, total: int | None, etag: str | None) -> None:
        other_etag = etag is not None and self.etag is not None and etag != self.etag
        other_total = total is not None and self.total is not None and total != self.total
        too_short = total is not None and total < self.offset
        if self.offset and (other_etag or other_total or too_short):
            raise self._changed_error()

    def _changed_error(self) -> ProtocolError:
        self.changed = True
        return ProtocolError("The file changed at the storage host while it was being read; read it again.")
