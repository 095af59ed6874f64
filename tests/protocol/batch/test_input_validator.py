"""The local check of an input: faults, parts, duplicates, memory."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchLimits, ValidationReport
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import DuplicateFinder, InputValidator
from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.validation_report import InputPart

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
OPENAI = LineSchema("openai", CHAT)
ANTHROPIC = LineSchema("anthropic", "/v1/messages")


def line(custom_id: object = "a", **fields: Any) -> dict[str, Any]:
    whole = {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": BODY, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def check(data: bytes, schema: LineSchema = OPENAI, *, step: int = 1 << 20, **options: Any) -> ValidationReport:
    validator = InputValidator(schema, **options)
    for begin in range(0, len(data), step):
        validator.feed(data[begin : begin + step])
    if suspects := validator.feed_eof():
        finder, splitter = DuplicateFinder(suspects), LineSplitter()
        finder.check_lines(splitter.feed(data) + splitter.feed_eof())
        validator.faults.merge_sorted(finder.faults)
    return validator.build_report()


def data_of(*lines: Any) -> bytes:
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines)


FAULTS: list[tuple[Any, list[str]]] = [
    (line(...), ["missing required field 'custom_id'"]),
    (line(""), ["field 'custom_id' is empty"]),
    (line(7), ["field 'custom_id' must be a string, not an integer"]),
    (line(None), ["field 'custom_id' must be a string, not null"]),
    (line(method=...), ["missing required field 'method'"]),
    (line(method="GET"), ["field 'method' must be 'POST', not 'GET'"]),
    (line(url=...), ["missing required field 'url'"]),
    (line(url=EMBEDDINGS), [f"field 'url' is '{EMBEDDINGS}', but the job's endpoint is '{CHAT}'"]),
    (line(body=...), ["missing required field 'body'"]),
    (line(body=[]), ["field 'body' must be an object, not an array"]),
    (line(body={}), ["missing required field 'body.model'", "missing required field 'body.messages'"]),
    (line(body={**BODY, "model": ""}), ["field 'body.model' is empty"]),
    (line(body={**BODY, "model": None}), ["field 'body.model' must be a string, not null"]),
    (line(body={**BODY, "messages": []}), ["field 'body.messages' is empty"]),
    (line(body={**BODY, "messages": "hi"}), ["field 'body.messages' must be an array, not a string"]),
    (line(body={**BODY, "messages": ["hi"]}), ["field 'body.messages' must hold objects only"]),
    (b"[1]", ["the line must be an object, not an array"]),
    (b"null", ["the line must be an object, not null"]),
    (b"{", ["not valid JSON: expecting property name enclosed in double quotes at column 2"]),
    (b'{"a":NaN}', ["not valid JSON: NaN is not a JSON value"]),
    (b'{"a":"\xff"}', ["not valid UTF-8 at byte 7"]),
    (b"[" * 100_000, ["not usable JSON: it is nested too deeply"]),
]


ODD = st.sampled_from([b"", b"\r", b"{", b"[]", b"\xff", b"\xef\xbb\xbf", json.dumps(line("z", url=...)).encode()])
GOOD = st.integers(0, 5).map(lambda number: json.dumps(line(f"é{number}"), ensure_ascii=False).encode())


@pytest.mark.parametrize(("bad", "faults"), FAULTS)
def test_a_fault_names_its_line_and_field(bad: Any, faults: list[str]) -> None:
    report = check(data_of(line("x"), b"", bad, line("y")))
    assert report.faults == tuple(f"Line 3: {fault}." for fault in faults)
    assert (report.total, report.requests, report.ok) == (len(faults), 3, False)


@pytest.mark.parametrize(
    ("schema", "good", "bad", "fault"),
    [
        (LineSchema("openai", EMBEDDINGS), {"model": "m", "input": ["a"]}, {"model": "m"}, "field 'body.input'"),
        (LineSchema("openai", "/v1/responses"), {"model": "m", "input": "a"}, {"model": "m"}, "field 'body.input'"),
        (LineSchema("openai", "/v1/new"), {"model": "m"}, {}, "field 'body.model'"),
    ],
)
def test_each_endpoint_has_its_own_required_fields(schema: LineSchema, good: Any, bad: Any, fault: str) -> None:
    url = schema.endpoint
    report = check(data_of(line("a", url=url, body=good), line("b", url=url, body=bad)), schema)
    assert report.faults == (f"Line 2: missing required {fault}.",)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ({"custom_id": "a b", "params": {}}, "field 'custom_id' must be 1 to 64 of a-z, A-Z, 0-9, _ and -"),
        ({"custom_id": "x" * 65, "params": {}}, "field 'custom_id' must be 1 to 64 of a-z, A-Z, 0-9, _ and -"),
        ({"custom_id": "b", "params": {"model": "m", "messages": [{}]}}, "missing required field 'params.max_tokens'"),
        ({"custom_id": "b"}, "missing required field 'params'"),
    ],
)
def test_anthropic_lines_have_params(bad: Any, fault: str) -> None:
    good = {"custom_id": "a", "params": {"model": "m", "max_tokens": 5, "messages": [{"role": "user"}]}}
    assert check(data_of(good), ANTHROPIC).ok
    assert f"Line 2: {fault}." in check(data_of(good, bad), ANTHROPIC).faults


def test_without_an_endpoint_any_url_is_valid() -> None:
    assert check(data_of(line("a", url="/x", body={"model": "m"})), LineSchema("openai", None)).ok


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + data_of(line()),
        data_of(line()) + b"\r\n\r\n",
        b"\n \r\n" + data_of(line()) + b"\n\n",
        data_of(line(body={**BODY, "text": "\u2028\u2029\x85"})),
        json.dumps(line(body={**BODY, "text": "\u2028é\x85"}), ensure_ascii=False).encode(),
        data_of(line(body={**BODY, "text": "x" * (2 << 20)})),
        data_of(line()).replace(b'"hi"', b'"\\ud800"'),
        b" " + data_of(line()) + b"\t",
    ],
)
@pytest.mark.parametrize("step", [7, 1 << 20])
def test_a_byte_order_mark_blank_lines_and_unicode_are_valid(data: bytes, step: int) -> None:
    report = check(data, step=step if len(data) < 10_000 else 1 << 16)
    assert (report.faults, report.requests) == ((), 1)


def test_the_part_excludes_a_byte_order_mark() -> None:
    data = data_of(line())
    report = check(b"\xef\xbb\xbf" + data)
    assert (report.parts[0].start, report.parts[0].end, report.size) == (3, 3 + len(data), len(data))


def test_a_duplicate_names_both_lines() -> None:
    report = check(data_of(line("a"), b"", line("b"), line("a"), line("é"), line("é"), line("a", body={})))
    assert [fault for fault in report.faults if "duplicate" in fault] == [
        "Line 4: duplicate custom_id 'a', first used on line 1.",
        "Line 6: duplicate custom_id 'é', first used on line 5.",
        "Line 7: duplicate custom_id 'a', first used on line 1.",
    ]


def test_faults_are_sorted_by_line_and_all_counted() -> None:
    report = check(data_of(*[line("a", url=...) for _ in range(300)]))
    assert (len(report.faults), report.total) == (599, 599)
    numbers = [int(fault.split()[1][:-1]) for fault in report.faults]
    assert numbers == sorted(numbers)


def test_equal_hashes_of_different_ids_are_not_a_duplicate() -> None:
    finder = DuplicateFinder({hash("a"), hash("b")})
    finder.check_lines([b'{"custom_id":"a"}', b'{"custom_id":"b"}'])
    assert finder.faults.total == 0


def test_an_input_without_requests_is_a_fault() -> None:
    assert check(b"\n\n").faults == ("The input has no requests.",)


def test_an_input_of_faulty_lines_is_not_said_to_have_no_requests() -> None:
    (fault,) = check(b"{\n").faults
    assert fault.startswith("Line 1: ")


def test_limits_of_a_job_are_faults_of_the_whole_input() -> None:
    data = data_of(*[line(str(number)) for number in range(5)])
    report = check(data, limits=BatchLimits(requests=4, size=100))
    assert [fault.split(".")[0] for fault in report.faults] == [
        "The input has 5 requests; a job takes 4",
        f"The input has {len(data)} bytes; a job takes 100",
    ]


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=30),
    st.integers(1, 7),
    st.integers(200, 900),
    st.integers(1, 400),
    st.booleans(),
)
def test_parts_are_whole_lines_within_the_limits(
    pads: list[int], most: int, size: int, step: int, newline: bool
) -> None:
    lines = [line(str(number), pad="x" * pad) for number, pad in enumerate(pads)]
    data = data_of(*lines) + (b"\n" if newline else b"")
    report = check(data, step=step, limits=BatchLimits(requests=most, size=size), split=True)
    assert report.faults == ()
    assert b"".join(data[part.start : part.end] for part in report.parts) == data
    for part in report.parts:
        piece = data[part.start : part.end]
        assert 0 < part.requests == len(piece.splitlines()) <= most
        assert part.size <= size
        assert part.lines_before == data[: part.start].count(b"\n")


def test_a_blank_line_starts_the_part_after_a_full_one() -> None:
    lines = [json.dumps(line(f"r{number}")).encode() for number in range(3)]
    data = b"\n".join([lines[0], lines[1], b"", lines[2], b""])
    full = len(lines[0]) + len(lines[1]) + 2
    report = check(data, limits=BatchLimits(requests=2), split=True)
    assert report.parts == (InputPart(0, full, 2, 0), InputPart(full, len(data), 1, 2))


def test_a_line_that_no_part_can_hold_is_a_fault() -> None:
    report = check(data_of(line("a"), line("b", pad="x" * 500)), limits=BatchLimits(size=300), split=True)
    assert report.faults[0].startswith("Line 2: ")
    assert "a whole file may have 300" in report.faults[0]


@given(st.lists(ODD | GOOD, max_size=12), st.integers(1, 60))
def test_a_report_does_not_depend_on_the_blocks(lines: list[bytes], step: int) -> None:
    data = b"\n".join(lines)
    assert check(data, step=step, digest=True) == check(data, digest=True)


def test_the_digest_is_the_sha256_of_the_bytes() -> None:
    data = data_of(line())
    assert check(data, digest=True).digest == hashlib.sha256(data).hexdigest()
    assert check(data).digest is None


def test_memory_is_eight_bytes_a_request() -> None:
    validator = InputValidator(OPENAI, BatchLimits(requests=10**9, size=10**12))
    block = b"".join(json.dumps(line("{:08d}")).encode() + b"\n" for _ in range(500)).decode()
    tracemalloc.start()
    for turn in range(200):
        numbers = iter(range(turn * 500, turn * 500 + 500))
        validator.feed("".join(part + str(next(numbers)) for part in block.split("{:08d}")[:-1]).encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_no_fault_shows_a_prompt() -> None:
    secret = "the secret prompt"
    lines = [line(body={"model": secret * 0, "messages": secret}), {"custom_id": "a", "prompt": secret}]
    assert secret not in "".join(check(data_of(*lines, f'{{"x":"{secret}'.encode())).faults)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "user", "content": "hi", "tool_call_id": None}, "tool_call_id"),
        ({"role": "user", "content": "hi", "tool_calls": None}, "tool_calls"),
        ({"role": "assistant", "content": None, "tool_calls": []}, None),
        ({"role": "user", "content": '"tool_calls": null, "stop":null'}, None),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_null_that_data_frames_write_gets_a_hint(
    message: dict[str, Any], field: str | None, separators: tuple[str, str]
) -> None:
    lines = [line(name, body=BODY | {"messages": [message]}) for name in "abc"]
    report = check("\n".join(json.dumps(each, separators=separators) for each in lines).encode())
    assert report.ok
    assert len(report.hints) == (field is not None)
    assert all(f"null for {field}," in hint for hint in report.hints)
