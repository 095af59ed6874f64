"""The checks of batch calls."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    BatchClient,
    chat_lines,
)


@pytest.mark.parametrize(
    ("body", "status"), [({"file_name": "a.json"}, 422), ({}, 422), ({"file_name": 1}, 422), (None, 400)]
)
async def test_a_file_name_without_jsonl_is_rejected(batch_client: BatchClient, body: Any, status: int) -> None:
    response = await batch_client.call("POST", "/v1/batches/files", body)
    assert (response.status, response.json["id"]) == (
        status,
        "bad_request" if status == 400 else "unprocessable_entity",
    )


MALFORMED = [
    ({"file_id": ...}, "file_id is required."),
    ({"provider": "meta"}, "provider must be one of openai, anthropic, got 'meta'."),
    ({"provider": ...}, "provider is required."),
    ({"endpoint": ...}, "endpoint is required."),
    ({"endpoint": None}, "endpoint must be a string, got null."),
    (
        {"endpoint": "/v1/messages"},
        "endpoint must be one of /v1/chat/completions, /v1/responses, /v1/embeddings, got '/v1/messages'",
    ),
    ({"provider": "anthropic"}, "endpoint must be one of /v1/messages, got '/v1/chat/completions'."),
    ({"request_id": ...}, "request_id is required."),
    ({"request_id": ""}, "request_id must have a length of at least 1, got 0."),
    ({"completion_window": "48h"}, "completion_window must be one of 24h, got '48h'."),
    ({"completion_window": None}, "completion_window must be a string, got null."),
    ({"metadata": {"a": 1}}, "metadata['a'] must be a string, got integer."),
]


@pytest.mark.parametrize(("fields", "problem"), MALFORMED)
async def test_a_malformed_job_is_refused(
    batch_client: BatchClient, gradient: Emulator, fields: dict[str, Any], problem: str
) -> None:
    response = await batch_client.create(await batch_client.upload(chat_lines(1)), **fields)
    assert (response.status, response.json["id"]) == (422, "unprocessable_entity")
    assert response.json["message"].startswith("request payload validation failed: " + problem)
    assert gradient.batches.jobs == []


async def test_a_body_that_is_not_json_is_a_bad_request(batch_client: BatchClient, gradient: Emulator) -> None:
    headers = {"Authorization": "Bearer key"}
    response = await batch_client.send("POST", gradient.url + "/v1/batches", data=b"{", headers=headers)
    assert (response.status, response.json["message"]) == (400, "error parsing request body")


async def test_the_window_and_the_metadata_may_be_left_out_or_null(batch_client: BatchClient) -> None:
    job = await batch_client.submit(chat_lines(1), metadata=None, completion_window="24h")
    assert (job["completion_window"], job["metadata"]) == ("24h", None)


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
async def test_a_limit_out_of_range_is_refused(batch_client: BatchClient, limit: str) -> None:
    assert (await batch_client.call("GET", f"/v1/batches?limit={limit}")).status == 400
