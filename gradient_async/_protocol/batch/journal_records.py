"""The journal of a job: the records by which a killed process resumes and never pays twice.

Contract: pure. No record holds an API key, only a salted fingerprint of it.

Only one call costs money: creating a job. It is idempotent by its ``request_id``. So the id is chosen once, written
to the journal, and only then sent; every later run sends the same id and gets the job that already exists.

Records are JSON lines, appended and synced one by one. Each is complete in itself, and a later record of the same
part or file replaces an earlier one. A last line without LF was cut off by a crash and does not count.

    kind    written                                       fields
    begin   after validation, before the first upload     salt, account, host, digest, provider, endpoint, parts
    upload  after the bytes of a part are stored          part, file_id
    submit  before the request that creates the job       part, body (with its request_id)
    create  after the response to that request            part, batch_id
    save    after results are synced, every 16 MiB        file, part, offset, position, tag

What a restart does, by the last record on disk (one part):

    last    possible state of the service                 the next run
    (none)  nothing was sent                              starts: checks the input, writes begin
    begin   the file may be uploaded                      uploads it again, to a new file id; that is free
    upload  the file is uploaded, no job                  writes submit, creates the job
    submit  the job may exist                             sends the same request_id; creates it or gets the existing one
    create  the job exists                                sends nothing, waits for its end
    save    (file, offset, position) are on disk          cuts the file to position, requests the bytes from offset

Example: the process dies while it waits for the response to the create request. The journal ends with

    {"kind":"upload","part":0,"file_id":"f-7"}
    {"kind":"submit","part":0,"body":{"file_id":"f-7","request_id":"5b1c",...}}

and the service may or may not have the job. The next run with the same input and key uploads nothing, posts the body
with ``request_id`` 5b1c and writes the ``create`` record: one job in either case. Changed options, such as corrected
metadata, are written as another ``submit`` record under the same id. Another input, key, host, provider or endpoint
is refused, because it would be another job; except while the last record is ``begin``: after a run with a wrong key
there is no job, and a second ``begin`` replaces the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gradient_async._protocol.batch.validation_report import InputPart, ValidationReport
from gradient_async._protocol.codec.converter import decode_json, encode_json
from gradient_async.errors import BatchError, ConfigurationError, ResponseDecodeError, quote_argument

VERSION = 1
_NEW_KEY_ADVICE = " If the key was replaced by another of the same account, read the job by its id."
_FIRST_KINDS = ("begin", "save")
"""A submission starts with ``begin``; the download of a job that was picked up by its id has only ``save`` records."""

_FIRST_BYTES = tuple(f'{{"kind":"{kind}"'.encode() for kind in _FIRST_KINDS)


def fingerprint_key(key: str, salt: str) -> str:
    """Return a salted hash that distinguishes API keys without revealing them."""
    return hashlib.sha256(f"gradient_async {salt} {key}".encode()).hexdigest()[:16]


def identify_job(*, digest: str, key: str, host: str, provider: str, endpoint: str | None) -> str:
    """Return a name for the job of an input and an account, by which its journal is found again."""
    parts = [digest, fingerprint_key(key, "identity"), host, provider, endpoint or ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@attrs.frozen(kw_only=True)
class JournalHeader:
    """The identity of the job of a journal: its account, its input and its parts.

    Attributes:
        account: The fingerprint of the key, made with *salt*.
        host: The base URL of the API.
        digest: SHA-256 of the input.
        parts: The parts that the input is split into, one job each.
    """

    salt: str
    account: str
    host: str
    digest: str
    provider: str
    endpoint: str | None
    parts: tuple[InputPart, ...]

    def encode_begin(self) -> bytes:
        """Return the ``begin`` record, the first line of the journal."""
        fields = attrs.asdict(self, recurse=False) | {"parts": [attrs.astuple(part) for part in self.parts]}
        return encode_record("begin", version=VERSION, **fields)

    def find_difference(
        self, *, key: str, host: str, report: ValidationReport, provider: str, endpoint: str | None
    ) -> str | None:
        """Return what another account or another input differs in, None for the same job.

        Args:
            key: The API key.
            host: The base URL of the API.
            report: The check of the input.
            provider: The form of its lines.
            endpoint: The path of the requests.
        """
        comparisons = [
            ("key", self.account, fingerprint_key(key, self.salt)),
            ("host", self.host, host),
            ("input", self.digest, report.digest),
            ("provider", self.provider, provider),
            ("endpoint", self.endpoint, endpoint),
        ]
        return next((subject for subject, recorded, current in comparisons if recorded != current), None)


def other_job_error(journal: str, difference: str, batch_ids: Sequence[str]) -> ConfigurationError:
    """Return the error for a *journal* of another job, whose parts are *batch_ids*."""
    jobs = f" ({', '.join(batch_ids)})" if batch_ids else ""
    return ConfigurationError(
        f"The journal {journal!r} belongs to a job with another {difference}{jobs}; "
        f"resume it with the same {difference}, or use another journal for a new job."
        + (_NEW_KEY_ADVICE if batch_ids and difference == "key" else "")
    )


@attrs.define
class PartState:
    """The recorded steps of one part: uploaded as *file_id*, announced as *body*, created as *batch_id*."""

    file_id: str | None = None
    body: dict[str, Any] | None = None
    batch_id: str | None = None


@attrs.frozen(kw_only=True)
class SavedPosition:
    """The recorded position of an unfinished results file.

    Attributes:
        part: Number of the part whose results were being written, from 0.
        offset: Bytes of that part's results that are on disk.
        position: Bytes of the file on disk, including the results of earlier parts.
        tag: The ETag of that part's results at the storage host.
    """

    part: int
    offset: int
    position: int
    tag: str | None = None


@attrs.define
class JournalState:
    """The state that the records of a journal add up to.

    Attributes:
        saved: The last position of each results file, by its name (``output`` or ``error``).
    """

    header: JournalHeader | None = None
    parts: dict[int, PartState] = attrs.field(factory=dict)
    saved: dict[str, SavedPosition] = attrs.field(factory=dict)

    @property
    def is_unused(self) -> bool:
        """Whether there is no job: the last record is ``begin``, or there is none."""
        return not self.saved and all(part == PartState() for part in self.parts.values())

    @property
    def batch_ids(self) -> list[str]:
        """The ids of the jobs that were created."""
        return [part.batch_id for part in self.parts.values() if part.batch_id is not None]

    def part_state(self, number: int) -> PartState:
        """Return the state of part *number*, from 0; an empty one for a part without records."""
        return self.parts.setdefault(number, PartState())

    def apply_record(self, record: Mapping[str, Any]) -> None:
        """Apply one record; ignore a record of an unknown kind."""
        kind = record["kind"]
        if kind == "begin":
            self.header = _read_header(record)
        elif kind == "upload":
            self.part_state(record["part"]).file_id = record["file_id"]
        elif kind == "submit":
            self.part_state(record["part"]).body = dict(record["body"])
        elif kind == "create":
            self.part_state(record["part"]).batch_id = record["batch_id"]
        elif kind == "save":
            fields = {name: record[name] for name in ("part", "offset", "position", "tag")}
            self.saved[record["file"]] = SavedPosition(**fields)


def _read_header(record: Mapping[str, Any]) -> JournalHeader:
    if record["version"] != VERSION:
        version = quote_argument(record["version"])
        raise BatchError(
            f"The journal is of version {version}, this version of the library reads {VERSION}: continue with the one "
            "that wrote it, or look for the jobs with batches.list() and read them by their ids."
        )
    names = [field.name for field in attrs.fields(JournalHeader) if field.name != "parts"]
    parts = tuple(InputPart(*(int(number) for number in part)) for part in record["parts"])
    return JournalHeader(parts=parts, **{name: record[name] for name in names})


def encode_record(kind: str, **fields: Any) -> bytes:
    """Return one line of a journal."""
    return encode_json({"kind": kind, **fields}) + b"\n"


def read_journal(data: bytes) -> tuple[JournalState, int]:
    """Apply the complete lines of *data*; return the state and the size of these lines in bytes.

    Raises:
        BatchError: *data* is not a journal, or one of its lines is damaged.
    """
    size = data.rfind(b"\n") + 1
    state = JournalState()
    if not any(data.startswith(start) or start.startswith(data) for start in _FIRST_BYTES):
        raise BatchError("The file is not a journal; give the path of a journal, or of a new file.")
    for number, line in enumerate(data[:size].split(b"\n")[:-1], 1):
        if not _apply_line(state, line):
            raise BatchError(
                f"Line {number} of the journal is damaged, so the jobs that it paid for are not known. "
                "Look for them with batches.list(); delete the journal to submit a new job."
            )
    return state, size


def _apply_line(state: JournalState, line: bytes) -> bool:
    """Apply one line; return False if it is damaged."""
    try:
        record = decode_json(line)
        if type(record) is not dict or (state.header is None and record.get("kind") not in _FIRST_KINDS):
            return False
        state.apply_record(record)
    except (ResponseDecodeError, KeyError, TypeError, ValueError):
        return False
    return True
