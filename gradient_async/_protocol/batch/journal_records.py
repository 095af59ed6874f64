"""The journal of a job: what was done, so that a killed process can go on and pays for nothing twice.

Contract: pure. Append-only JSON lines; every record is complete in itself and a later one outdates an earlier one.
A record is written before the step it announces, so that what may have happened is always known: a job is created
under the ``request_id`` of its ``submit`` record, whoever asks and however often. A last line that was cut off is
as if it had not been written. No record holds a key: of the key there is a salted fingerprint_key.

    begin    account, input, provider, endpoint, and how the input is cut into parts
    upload   the file of a part is at the service
    submit   the body that creates the job of a part, about to be sent
    create   the job of a part exists
    save     so many bytes of a results file are on disk
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async._protocol.batch.validation_report import InputPart, ValidationReport
from gradient_async._protocol.codec.converter import decode_json, encode_json
from gradient_async.errors import BatchError, ConfigurationError, ResponseDecodeError

VERSION = 1
_FIRST = ("begin", "save")
"""A submission begins with its header; the download of a job that was picked up by its id has none."""

_STARTS = tuple(f'{{"kind":"{kind}"'.encode() for kind in _FIRST)


def fingerprint_key(key: str, salt: str) -> str:
    """Return what tells two keys apart and gives neither away."""
    return hashlib.sha256(f"gradient_async {salt} {key}".encode()).hexdigest()[:16]


@attrs.frozen(kw_only=True)
class JournalHeader:
    """What a journal is about.

    Attributes:
        account: The fingerprint_key of the key, made with *salt*.
        parts: The jobs the input becomes.
    """

    salt: str
    account: str
    host: str
    digest: str
    provider: str
    endpoint: str | None
    parts: tuple[InputPart, ...]

    def record(self) -> bytes:
        """Return the first line of the journal."""
        fields = attrs.asdict(self, recurse=False) | {"parts": [attrs.astuple(part) for part in self.parts]}
        return encode_record("begin", version=VERSION, **fields)

    def check(self, *, key: str, host: str, report: ValidationReport, provider: str, endpoint: str | None) -> None:
        """Refuse to go on with another account or another input.

        Raises:
            ConfigurationError: It is one; the message says which.
        """
        facts = [
            ("another key", self.account, fingerprint_key(key, self.salt)),
            ("another host", self.host, host),
            ("another input", self.digest, report.digest),
            ("another provider", self.provider, provider),
            ("another endpoint", self.endpoint, endpoint),
        ]
        for what, then, now in facts:
            if then != now:
                raise ConfigurationError(
                    f"The journal belongs to a job with {what}; "
                    "use that one again to go on with it, or another journal for a new job."
                )


@attrs.define
class PartState:
    """How far the job of one part has come."""

    file_id: str | None = None
    body: dict[str, Any] | None = None
    batch_id: str | None = None


@attrs.frozen(kw_only=True)
class SavedPosition:
    """How far a results file was saved.

    Attributes:
        part: Whose results were being written.
        offset: Bytes of that part's file that are on disk.
        position: Bytes of the file on disk, the parts before included.
        tag: The entity tag of the part's file.
    """

    part: int
    offset: int
    position: int
    tag: str | None = None


@attrs.define
class JournalState:
    """What the records of a journal add up to."""

    header: JournalHeader | None = None
    parts: dict[int, PartState] = attrs.field(factory=dict)
    saved: dict[str, SavedPosition] = attrs.field(factory=dict)

    def part(self, number: int) -> PartState:
        """Return how far part *number* has come."""
        return self.parts.setdefault(number, PartState())

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take in one record; one of an unknown kind is passed over."""
        kind = record["kind"]
        if kind == "begin":
            self.header = _header(record)
        elif kind == "upload":
            self.part(record["part"]).file_id = record["file_id"]
        elif kind == "submit":
            self.part(record["part"]).body = dict(record["body"])
        elif kind == "create":
            self.part(record["part"]).batch_id = record["batch_id"]
        elif kind == "save":
            places = {name: record[name] for name in ("part", "offset", "position", "tag")}
            self.saved[record["file"]] = SavedPosition(**places)


def _header(record: Mapping[str, Any]) -> JournalHeader:
    if record["version"] != VERSION:
        raise BatchError(f"The journal has version {record['version']}, this library writes {VERSION}.")
    names = [field.name for field in attrs.fields(JournalHeader) if field.name != "parts"]
    parts = tuple(InputPart(*(int(number) for number in part)) for part in record["parts"])
    return JournalHeader(parts=parts, **{name: record[name] for name in names})


def encode_record(kind: str, **fields: Any) -> bytes:
    """Return one line of a journal."""
    return encode_json({"kind": kind, **fields}) + b"\n"


def read_journal(data: bytes) -> tuple[JournalState, int]:
    """Return what the journal in *data* says, and how many of its bytes are whole lines.

    Raises:
        BatchError: It is no journal, or a line in the middle of it is damaged.
    """
    whole = data.rfind(b"\n") + 1
    state = JournalState()
    if not any(data.startswith(start) or start.startswith(data) for start in _STARTS):
        raise BatchError("The file is no journal; give the path of one, or of a new file.")
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
        if not _apply(state, line):
            raise BatchError(
                f"Line {number} of the journal is damaged, so it is not known what was paid for. "
                "Look for the job with batches.list(); delete the journal to submit a new one."
            )
    return state, whole


def _apply(state: JournalState, line: bytes) -> bool:
    try:
        record = decode_json(line)
        if type(record) is not dict or (state.header is None and record.get("kind") not in _FIRST):
            return False
        state.apply(record)
    except (ResponseDecodeError, KeyError, TypeError, ValueError):
        return False
    return True
