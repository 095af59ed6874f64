"""The records of a journal, and the state that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchError, ValidationReport
from gradient_async._protocol.batch.journal_records import (
    JournalHeader,
    encode_record,
    fingerprint_key,
    identify_job,
    other_job_error,
    read_journal,
)
from gradient_async._protocol.batch.validation_report import InputPart

KEY = "sk-do-secret"
FACTS: dict[str, Any] = {"key": KEY, "host": "https://h", "provider": "openai", "endpoint": "/v1/chat/completions"}
REPORT = ValidationReport(digest="abc", parts=(InputPart(0, 10, 2), InputPart(10, 20, 2, 2)))


def header() -> JournalHeader:
    return JournalHeader(
        salt="s",
        account=fingerprint_key(KEY, "s"),
        host="https://h",
        digest="abc",
        provider="openai",
        endpoint="/v1/chat/completions",
        parts=REPORT.parts,
    )


RECORDS = [
    header().encode_begin(),
    encode_record("upload", part=0, file_id="f-0"),
    encode_record("submit", part=0, body={"request_id": "r-0", "file_id": "f-0"}),
    encode_record("create", part=0, batch_id="b-0"),
    encode_record("upload", part=1, file_id="f-1"),
    encode_record("save", file="output", part=0, offset=5, position=5, tag='"e"'),
    encode_record("save", file="output", part=1, offset=3, position=14, tag=None),
]


WHOLE = b"".join(RECORDS)


def test_records_add_up_to_a_state() -> None:
    state, size = read_journal(WHOLE)
    first, second = state.part_state(0), state.part_state(1)
    assert size == len(WHOLE)
    assert state.header == header()
    assert (first.batch_id, first.body, second.file_id, second.batch_id) == (
        "b-0", {"request_id": "r-0", "file_id": "f-0"}, "f-1", None,
    )  # fmt: skip
    assert (state.saved["output"].offset, state.saved["output"].position) == (3, 14)


def test_a_torn_last_line_is_ignored() -> None:
    for cut in range(len(WHOLE) + 1):
        complete = b"".join(RECORDS[: WHOLE[:cut].count(b"\n")])
        assert read_journal(WHOLE[:cut]) == (read_journal(complete)[0], len(complete))


@given(st.integers(1, len(RECORDS) - 2), st.binary(max_size=20).filter(lambda data: b"\n" not in data))
def test_a_damaged_line_raises_with_its_number(number: int, damage: bytes) -> None:
    data = b"".join([*RECORDS[:number], damage + b"\n", *RECORDS[number + 1 :]])
    with pytest.raises(BatchError, match=f"Line {number + 1} of the journal is damaged"):
        read_journal(data)


@given(st.binary(max_size=300), st.sampled_from([b"", WHOLE[:14], WHOLE[:60], RECORDS[0]]))
def test_any_bytes_are_a_journal_or_a_batch_error(data: bytes, start: bytes) -> None:
    try:
        _, size = read_journal(start + data)
    except BatchError:
        return
    assert size == (start + data).rfind(b"\n") + 1


@pytest.mark.parametrize("number", range(len(RECORDS) + 1))
def test_a_journal_is_unused_until_a_step_after_begin_is_recorded(number: int) -> None:
    assert read_journal(b"".join(RECORDS[:number]))[0].is_unused is (number < 2)


def test_a_record_of_an_unknown_kind_is_ignored() -> None:
    assert read_journal(WHOLE + encode_record("later", what=1))[0] == read_journal(WHOLE)[0]


def test_a_journal_of_another_version_is_refused() -> None:
    with pytest.raises(BatchError, match="version 2"):
        read_journal(header().encode_begin().replace(b'"version":1', b'"version":2'))


def refusal(*, batch_ids: Sequence[str] = (), **other: Any) -> str:
    """The message that refuses to resume with *other* facts; empty if the job resumes."""
    difference = header().find_difference(**{"report": REPORT, **FACTS, **other})
    return str(other_job_error("run.journal", difference, batch_ids)) if difference else ""


def test_the_same_job_resumes_its_journal() -> None:
    assert refusal() == ""


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"key": "sk-do-other"}, "another key"),
        ({"host": "https://other"}, "another host"),
        ({"report": ValidationReport(digest="abd")}, "another input"),
        ({"provider": "anthropic"}, "another provider"),
        ({"endpoint": "/v1/embeddings"}, "another endpoint"),
    ],
)
def test_another_job_is_refused_with_its_difference(other: dict[str, Any], difference: str) -> None:
    message = refusal(**other)
    assert difference in message
    assert "'run.journal'" in message
    assert KEY not in message


@pytest.mark.parametrize("key", [KEY, "sk-do-other"])
def test_the_refusal_names_the_jobs_that_were_paid_for(key: str) -> None:
    message = refusal(key=key, report=ValidationReport(digest="abd"), batch_ids=["b-1", "b-2"])
    assert "b-1, b-2" in message
    assert ("read the job by its id" in message) is (key != KEY)


def test_a_job_is_identified_by_its_input_and_account() -> None:
    facts: dict[str, Any] = {"digest": "d", "key": "k", "host": "h", "provider": "openai", "endpoint": "/v1/x"}
    others = [{**facts, name: "other"} for name in facts]
    names = {identify_job(**each) for each in [facts, *others, {**facts, "endpoint": None}]}
    assert len(names) == len(facts) + 2
    assert identify_job(**facts) == identify_job(**facts)


def test_a_journal_does_not_contain_the_key() -> None:
    assert KEY.encode() not in WHOLE
    assert fingerprint_key(KEY, "s") != fingerprint_key(KEY, "t")
