"""Records of a checkpoint: what a line is, and which request it belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.map.checkpoint_records import (
    RecordIndex,
    encode_header,
    encode_record,
    extract_result,
    find_fingerprint,
    find_header_fault,
    fingerprint_request,
)

FINGERPRINT = fingerprint_request("/v1/chat/completions", b"{}")
RECORD = encode_record(FINGERPRINT, b'{"id":"c"}')


def test_a_record_has_its_fingerprint_and_result() -> None:
    assert find_fingerprint(RECORD) == FINGERPRINT
    assert extract_result(RECORD, FINGERPRINT) == b'{"id":"c"}'


@pytest.mark.parametrize("cut", range(len(RECORD)))
def test_a_torn_record_is_damaged(cut: int) -> None:
    assert find_fingerprint(RECORD[:cut]) is None
    assert find_fingerprint(RECORD[cut + 1 :]) is None


def test_the_record_of_another_request_has_no_result() -> None:
    assert extract_result(RECORD, fingerprint_request("/v1/chat/completions", b"[]")) is None


def test_endpoints_are_part_of_the_fingerprint() -> None:
    assert fingerprint_request("a", b"x") != fingerprint_request("b", b"x")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (encode_header("chat.completion"), None),
        (encode_header("embedding"), "another kind"),
        (b'{"kind":"checkpoint","version":9,"results":"chat.completion"}\n', "version 9"),
        (b'{"kind":"begin","version":1}\n', "not a checkpoint"),
        (b"What is the capital of Portugal?\n", "not a checkpoint"),
        (b"[]\n", "not a checkpoint"),
        (b"\xff\xfe\n", "not a checkpoint"),
    ],
)
def test_only_a_header_of_the_same_kind_is_accepted(line: bytes, fault: str | None) -> None:
    found = find_header_fault(line, "chat.completion")
    assert found is None if fault is None else fault in str(found)


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 7)))
def test_each_place_is_handed_out_once_in_the_order_of_the_file(added: list[int], asked: list[int]) -> None:
    index, places = RecordIndex(), dict[int, list[int]]()
    for offset, number in enumerate(added):
        index.add_record(f"{number:016x}" * 2, offset, 1)
        places.setdefault(number, []).append(offset)
    for number in asked:
        expected = places.get(number, []).pop(0) if places.get(number) else None
        found = index.pop_place(f"{number:016x}" * 2)
        assert (found[0] if found else None) == expected
    assert len(index) == sum(map(len, places.values()))


def test_text_that_is_not_a_fingerprint_has_no_place() -> None:
    index = RecordIndex()
    index.add_record("not a number here, not a number ", 0, 1)
    assert (len(index), index.pop_place("not a number here, not a number ")) == (0, None)
