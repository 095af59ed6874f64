r"""Records of a checkpoint: which request has which result, as lines of JSON.

Contract: a result belongs to the request that it was made for, recognised by a fingerprint of everything that is sent,
not by its position. So items may be added, removed and reordered between two runs, and only changed ones are sent
again. Each record serves one item of a run: an input that has the same request twice has two results.

    {"kind":"checkpoint","version":1,"results":"chat.completion"}      the first line
    {"request":"5d41402abc4b2a76b9719d911017c592","result":{...}}      one line for each result

A line that is damaged counts as absent: its item is sent again. Memory: 20 bytes a record.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

import attrs

from gradient_async._protocol.codec.json_text import decode_json, encode_json
from gradient_async.errors import ResponseDecodeError

VERSION = 1
_FINGERPRINT_CHARS = 32
_START, _MIDDLE, _END = b'{"request":"', b'","result":', b"}\n"
_RESULT_AT = len(_START) + _FINGERPRINT_CHARS + len(_MIDDLE)
_BUCKETS = 4096


def encode_header(results: str) -> bytes:
    """Return the first line of a checkpoint; *results* names the type of the results in it."""
    return encode_json({"kind": "checkpoint", "version": VERSION, "results": results}) + b"\n"


def find_header_fault(line: bytes, results: str) -> str | None:
    """Return why *line* is not the header of a checkpoint with *results*, None if it is."""
    try:
        header = decode_json(line)
    except ResponseDecodeError:
        header = None
    if type(header) is not dict or header.get("kind") != "checkpoint":
        return "is not a checkpoint; give the path of a checkpoint, or of a new file"
    if header.get("version") != VERSION:
        return f"has version {header.get('version')}, this library writes {VERSION}; give the path of a new file"
    if header.get("results") != results:
        return f"holds results of another kind ({header.get('results')}); give the path of a new file"
    return None


def fingerprint_request(scope: str, body: bytes) -> str:
    """Return the fingerprint of a request: of its *body*, and of *scope*, which tells endpoints apart."""
    return blake2b(scope.encode() + b"\n" + body, digest_size=_FINGERPRINT_CHARS // 2).hexdigest()


def encode_record(fingerprint: str, result: bytes) -> bytes:
    """Return the line for the JSON text of a *result*."""
    return b"".join((_START, fingerprint.encode(), _MIDDLE, result, _END))


def find_fingerprint(line: bytes) -> str | None:
    """Return the fingerprint in a *line* with its LF, None if the line is damaged."""
    is_record = (
        line.startswith(_START) and line.endswith(_END) and line[_RESULT_AT - len(_MIDDLE) :].startswith(_MIDDLE)
    )
    return line[len(_START) : len(_START) + _FINGERPRINT_CHARS].decode("latin-1") if is_record else None


def extract_result(line: bytes, fingerprint: str) -> bytes | None:
    """Return the JSON text of the result in *line*, None if the line is damaged or of another request."""
    return line[_RESULT_AT : -len(_END)] if find_fingerprint(line) == fingerprint else None


@attrs.define(eq=False)
class _Bucket:
    """Records with keys that share their low bits; parallel arrays in the order of the file."""

    keys: array[int] = attrs.field(factory=lambda: array("Q"))
    offsets: array[int] = attrs.field(factory=lambda: array("Q"))
    sizes: array[int] = attrs.field(factory=lambda: array("L"))


@attrs.define(eq=False)
class RecordIndex:
    """The places of the records in the file, by fingerprint; a place is handed out once."""

    _buckets: dict[int, _Bucket] = attrs.field(factory=dict, init=False)
    _count: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return self._count

    def add_record(self, fingerprint: str, offset: int, size: int) -> None:
        """Add the record at *offset* bytes, *size* bytes long; ignore a *fingerprint* that is not one."""
        if (key := _to_key(fingerprint)) is None:
            return
        bucket = self._buckets.setdefault(key % _BUCKETS, _Bucket())
        bucket.keys.append(key)
        bucket.offsets.append(offset)
        bucket.sizes.append(size)
        self._count += 1

    def pop_place(self, fingerprint: str) -> tuple[int, int] | None:
        """Return offset and size of the first record of *fingerprint* that was not handed out yet."""
        key = _to_key(fingerprint) if self._count else None
        bucket = None if key is None else self._buckets.get(key % _BUCKETS)
        if bucket is None:
            return None
        try:
            position = bucket.keys.index(key)  # type: ignore[arg-type]  # without a key there is no bucket
        except ValueError:
            return None
        del bucket.keys[position]
        self._count -= 1
        return bucket.offsets.pop(position), bucket.sizes.pop(position)


def _to_key(fingerprint: str) -> int | None:
    try:
        return int(fingerprint[:16], 16)
    except ValueError:
        return None
