"""The two wire shapes of the batch API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gradient_async import BatchNotReadyError, RequestCounts, ResponseDecodeError
from gradient_async._protocol.batch.api_responses import read_batch, read_batch_page, read_result_links
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
    batch = read_batch(encoded(REFERENCE))
    assert (batch.input_file_id, batch.request_counts.total, batch.errors[0].line) == ("a1b2c3d4", 10000, 42)
    assert batch.created_at == datetime(2026, 4, 24, 19, 19, 19, tzinfo=UTC)
    assert batch.raw == REFERENCE
    assert json.loads(batch.to_json()) == {name: value for name, value in REFERENCE.items() if value is not None}


def test_the_observed_shape_of_a_job_is_read() -> None:
    batch = read_batch(encoded(CAPTURED))
    assert (batch.input_file_id, batch.request_id, batch.is_terminal) == ("f-1", "postman-1776793317", False)
    assert batch.cancel_requested_at == datetime(2026, 4, 21, 17, 42, 3, 123456, tzinfo=UTC)
    assert batch.raw == CAPTURED


@pytest.mark.parametrize("faults", [REFERENCE["errors"], []])
def test_faults_in_a_list_object_are_read(faults: Any) -> None:
    batch = read_batch(encoded(REFERENCE | {"errors": {"object": "list", "data": faults}}))
    assert [fault.line for fault in batch.errors] == [fault["line"] for fault in faults]
    assert batch.raw["errors"] == {"object": "list", "data": faults}


@pytest.mark.parametrize("odd", ["", "soon", 1776793317, None, [], "2026-13-01T00:00:00Z", 1e300])
def test_an_unreadable_date_is_none(odd: Any) -> None:
    batch = read_batch(encoded({"batch_id": "b", "status": "x", "created_at": odd}))
    assert batch.created_at is None or batch.created_at.tzinfo is UTC


def test_a_job_needs_only_its_id_and_status() -> None:
    batch = read_batch(b'{"batch_id":"b","status":"new_status","request_counts":null,"errors":null}')
    assert (batch.request_counts, batch.errors, batch.is_terminal) == (RequestCounts(), [], False)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":"bad_request","message":"no"}', b'{"status":"x"}'])
def test_a_body_that_is_not_a_job_raises(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        read_batch(body)


def test_both_shapes_of_a_page_are_read() -> None:
    page = read_batch_page(encoded({"object": "list", "data": [REFERENCE], "last_id": "x", "has_more": True}))
    assert ([batch.batch_id for batch in page.batches], page.after) == (["0e9d1d35"], "x")
    edges = [{"cursor": "Y3Vy", "node": CAPTURED}]
    page = read_batch_page(encoded({"edges": edges, "page_info": {"endCursor": "ZW5k", "hasNextPage": True}}))
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
    assert read_batch_page(encoded(page)).after is None


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
        read_batch_page(encoded(page))
    assert path in (None, caught.value.path)


@pytest.mark.parametrize("page", [{"data": None}, {"edges": None}, {"edges": [], "page_info": 1}])
def test_a_page_without_jobs_is_empty(page: Any) -> None:
    assert read_batch_page(encoded(page)).batches == []


def test_a_page_without_a_cursor_continues_after_its_last_job() -> None:
    assert read_batch_page(encoded({"data": [REFERENCE], "has_more": True})).after == "0e9d1d35"


def test_both_shapes_of_links_are_read() -> None:
    reference = {
        "batch_id": "b",
        "result_available": True,
        "output_file_url": "https://h/o?S=1",
        "error_file_url": None,
    }
    links = read_result_links(encoded(reference))
    assert (links.output_file_url, links.error_file_url) == ("https://h/o?S=1", None)
    download = {"presigned_url": "https://h/o?S=1", "expires_at": "2026-04-21T17:42:03.123456789Z"}
    links = read_result_links(encoded({"download": download, "output_file_id": "f"}))
    assert (links.output_file_url, links.expires_at is not None) == ("https://h/o?S=1", True)


def test_links_that_are_not_available_raise() -> None:
    with pytest.raises(BatchNotReadyError, match="b-7"):
        read_result_links(encoded({"batch_id": "b-7", "result_available": False}))


def test_a_presigned_url_is_shown_without_its_query() -> None:
    url = "https://host/path?X-Amz-Signature=secret"
    shown = repr(BatchFile(file_id="f", upload_url=url)) + repr(ResultLinks(output_file_url=url, error_file_url=url))
    assert "secret" not in shown
    assert "https://host/path" in shown
