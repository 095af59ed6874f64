"""The two wire shapes, names and bodies of the batch API."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from gradient_async import (
    Batch,
    BatchFailedError,
    BatchFault,
    BatchNotReadyError,
    BatchValidationError,
    ConfigurationError,
    RequestCounts,
    ResponseDecodeError,
)
from gradient_async._protocol.batch import api as wire
from gradient_async.models.batch import BatchFile, ResultLinks

REFERENCE = {
    "batch_id": "0e9d1d35",
    "cancelled_at": None,
    "completed_at": "2019-08-24T14:15:22Z",
    "completion_window": "24h",
    "created_at": "2026-04-24T19:19:19Z",
    "endpoint": "/v1/chat/completions",
    "error_file_id": "497f6eca",
    "errors": [{"code": "invalid_input_file", "line": 42, "message": "Line 42: missing required field 'custom_id'."}],
    "expires_at": "2026-04-25T19:19:19Z",
    "input_file_id": "a1b2c3d4",
    "output_file_id": "497f6eca",
    "provider": "openai",
    "request_counts": {"completed": 0, "failed": 0, "total": 10000},
    "request_id": "c7e3ad1e",
    "status": "in_progress",
}


CAPTURED = {
    "batch_id": "b-1",
    "cancel_requested_at": "2026-04-21T17:42:03.123456789Z",
    "completion_window": "24h",
    "created_at": "2026-04-21T17:41:57Z",
    "expires_at": None,
    "file_id": "f-1",
    "provider": "openai",
    "request_counts": {"total": 2, "completed": 1, "failed": 1},
    "request_id": "postman-1776793317",
    "result_available": True,
    "status": "queued",
    "updated_at": "2026-04-21T17:42:03.5Z",
}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_the_documented_shape_of_a_job_is_read() -> None:
    batch = wire.read_batch(encoded(REFERENCE))
    assert (batch.input_file_id, batch.request_counts.total, batch.errors[0].line) == ("a1b2c3d4", 10000, 42)
    assert batch.created_at == datetime(2026, 4, 24, 19, 19, 19, tzinfo=UTC)
    assert batch.raw == REFERENCE
    assert json.loads(batch.to_json()) == {name: value for name, value in REFERENCE.items() if value is not None}


def test_the_observed_shape_of_a_job_is_read() -> None:
    batch = wire.read_batch(encoded(CAPTURED))
    assert (batch.input_file_id, batch.request_id, batch.is_terminal) == ("f-1", "postman-1776793317", False)
    assert batch.cancel_requested_at == datetime(2026, 4, 21, 17, 42, 3, 123456, tzinfo=UTC)
    assert batch.raw == CAPTURED


@pytest.mark.parametrize("faults", [REFERENCE["errors"], []])
def test_faults_in_a_list_object_are_read(faults: Any) -> None:
    batch = wire.read_batch(encoded(REFERENCE | {"errors": {"object": "list", "data": faults}}))
    assert [fault.line for fault in batch.errors] == [fault["line"] for fault in faults]
    assert batch.raw["errors"] == {"object": "list", "data": faults}


@pytest.mark.parametrize("odd", ["", "soon", 1776793317, None, [], "2026-13-01T00:00:00Z", 1e300])
def test_an_unreadable_date_is_none(odd: Any) -> None:
    batch = wire.read_batch(encoded({"batch_id": "b", "status": "x", "created_at": odd}))
    assert batch.created_at is None or batch.created_at.tzinfo is UTC


def test_a_job_needs_only_its_id_and_status() -> None:
    batch = wire.read_batch(b'{"batch_id":"b","status":"new_status","request_counts":null,"errors":null}')
    assert (batch.request_counts, batch.errors, batch.is_terminal) == (RequestCounts(), [], False)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":"bad_request","message":"no"}', b'{"status":"x"}'])
def test_a_body_that_is_not_a_job_raises(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        wire.read_batch(body)


def test_both_shapes_of_a_page_are_read() -> None:
    page = wire.read_batch_page(encoded({"object": "list", "data": [REFERENCE], "last_id": "x", "has_more": True}))
    assert ([batch.batch_id for batch in page.batches], page.after) == (["0e9d1d35"], "x")
    edges = [{"cursor": "Y3Vy", "node": CAPTURED}]
    page = wire.read_batch_page(encoded({"edges": edges, "page_info": {"endCursor": "ZW5k", "hasNextPage": True}}))
    assert ([batch.batch_id for batch in page.batches], page.after) == (["b-1"], "ZW5k")


@pytest.mark.parametrize(
    "page",
    [
        {"data": [REFERENCE], "last_id": "x", "has_more": False},
        {"data": [], "last_id": None, "has_more": True},
        {"data": None, "has_more": True},
        {"edges": [], "page_info": {"endCursor": "x", "hasNextPage": True}},
        {"edges": None},
        {},
    ],
)
def test_the_last_page_has_no_cursor(page: Any) -> None:
    assert wire.read_batch_page(encoded(page)).after is None


@pytest.mark.parametrize(
    ("page", "path"),
    [
        (1, "$.data"),
        ("x", "$.data"),
        ({"data": 1}, "$.data"),
        ({"data": {"0": REFERENCE}}, "$.data"),
        ({"data": [1]}, None),
        ({"edges": "x"}, "$.edges"),
        ({"edges": [{"node": 1}]}, None),
        ({"data": [REFERENCE], "has_more": True, "last_id": [1]}, None),
        ({"edges": [{"node": REFERENCE, "cursor": {}}], "page_info": {"hasNextPage": True, "endCursor": 7}}, None),
    ],
)
def test_another_body_than_a_page_is_a_decode_error_and_not_an_empty_page(page: Any, path: str | None) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        wire.read_batch_page(encoded(page))
    assert path in (None, caught.value.path)


@pytest.mark.parametrize("page", [{"data": None}, {"edges": None}, {"edges": [], "page_info": 1}])
def test_a_page_without_jobs_is_empty(page: Any) -> None:
    assert wire.read_batch_page(encoded(page)).batches == []


def test_a_page_without_a_cursor_continues_after_its_last_job() -> None:
    assert wire.read_batch_page(encoded({"data": [REFERENCE], "has_more": True})).after == "0e9d1d35"


def test_both_shapes_of_links_are_read() -> None:
    reference = {
        "batch_id": "b",
        "result_available": True,
        "output_file_url": "https://h/o?S=1",
        "error_file_url": None,
    }
    links = wire.read_result_links(encoded(reference))
    assert (links.output_file_url, links.error_file_url) == ("https://h/o?S=1", None)
    download = {"presigned_url": "https://h/o?S=1", "expires_at": "2026-04-21T17:42:03.123456789Z"}
    links = wire.read_result_links(encoded({"download": download, "output_file_id": "f"}))
    assert (links.output_file_url, links.expires_at is not None) == ("https://h/o?S=1", True)


def test_links_that_are_not_available_raise() -> None:
    with pytest.raises(BatchNotReadyError, match="b-7"):
        wire.read_result_links(encoded({"batch_id": "b-7", "result_available": False}))


def test_a_presigned_url_is_shown_without_its_query() -> None:
    url = "https://host/path?X-Amz-Signature=secret"
    shown = repr(BatchFile(file_id="f", upload_url=url)) + repr(ResultLinks(output_file_url=url, error_file_url=url))
    assert "secret" not in shown
    assert "https://host/path" in shown


@pytest.mark.parametrize("batch_id", ["../models", "a/b", "a?b", "a b", "é"])
def test_an_id_adds_no_segment_to_the_path(batch_id: str) -> None:
    path = wire.batch_path(batch_id, "/results")
    assert path.count("/") == 4
    assert "?" not in path


def test_a_list_path_has_only_the_given_parameters() -> None:
    assert wire.list_path(limit=20, after=None, status=None) == "/v1/batches?limit=20"
    assert wire.list_path(limit=5, after="a+b/=", status="failed").endswith("limit=5&after=a%2Bb%2F%3D&status=failed")


def test_a_create_body_omits_fields_that_are_none() -> None:
    facts: dict[str, Any] = {"file_id": "f", "request_id": "r", "provider": "anthropic", "completion_window": "24h"}
    assert wire.build_create_body(**facts, endpoint=None, metadata=None) == facts
    assert wire.build_create_body(**facts, endpoint="/v1/messages", metadata={"a": "b"})["metadata"] == {"a": "b"}


def test_only_anthropic_may_lose_its_endpoint() -> None:
    body = {"provider": "anthropic", "endpoint": "/v1/messages", "request_id": "r"}
    assert wire.without_endpoint(body) == {"provider": "anthropic", "request_id": "r"}
    assert wire.without_endpoint({**body, "provider": "openai"}) is None
    assert wire.without_endpoint({"provider": "anthropic"}) is None


def job(status: str, **fields: Any) -> Batch:
    return Batch(batch_id=status, status=status, **fields)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["completed", "in_progress"], "in_progress"),
        (["finalizing", "validating", "completed"], "validating"),
        (["completed", "completed"], "completed"),
        (["completed", "failed", "expired"], "failed"),
        (["cancelled", "completed"], "cancelled"),
        (["paused", "finalizing"], "paused"),
        (["cancelling", "cancelled"], "cancelling"),
    ],
)
def test_merged_jobs_have_the_status_of_the_least_advanced(statuses: list[str], expected: str) -> None:
    assert wire.merge_batches([job(status) for status in statuses]).status == expected


def test_merged_jobs_have_the_sum_of_the_counts() -> None:
    counts = RequestCounts(total=10, completed=6, failed=1)
    whole = wire.merge_batches([job("completed", request_counts=counts), job("failed", request_counts=counts)])
    assert (whole.batch_id, whole.request_counts) == (
        "completed,failed",
        RequestCounts(total=20, completed=12, failed=2),
    )


def test_a_failed_job_shows_its_first_faults_with_their_lines() -> None:
    faults = [BatchFault(message="no body", line=7), BatchFault(message="Line 9: no id.", line=9)] * 3
    error = wire.batch_failed_error(job("failed", errors=faults))
    assert "Line 7: no body Line 9: no id." in str(error)
    assert "... and 3 more" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, BatchFailedError)
    assert again.batch == error.batch


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        wire.BatchLimits(requests=0)


@pytest.mark.parametrize("name", ["a.jsonl", "A.JSONL", "a b.jsonl"])
def test_a_file_name_with_jsonl_is_valid(name: str) -> None:
    assert wire.validate_file_name(name) == name


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl.gz", "jsonl", ".jsonl", ""])
def test_a_file_name_without_jsonl_is_refused(name: str) -> None:
    with pytest.raises(BatchValidationError, match=r"must end with \.jsonl") as caught:
        wire.validate_file_name(name)
    assert caught.value.total == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/prompts.jsonl", "prompts.jsonl"),
        ("C:\\data\\Prompts.JSONL", "Prompts.JSONL"),
        ("prompts.jsonl.gz", "prompts.jsonl"),
        ("prompts.txt", "prompts.jsonl"),
        ("prompts", "prompts.jsonl"),
        (".jsonl", "batch.jsonl"),
        ("", "batch.jsonl"),
    ],
)
def test_a_valid_file_name_is_derived_from_any_path(path: str, name: str) -> None:
    assert wire.validate_file_name(wire.derive_file_name(path)) == name
