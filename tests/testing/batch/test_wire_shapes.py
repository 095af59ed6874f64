"""The captured shape of batch responses."""

from __future__ import annotations

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    NewBatchClient,
    chat_line,
    chat_lines,
)


async def test_the_captured_shape_has_the_captured_fields(new_batch_client: NewBatchClient) -> None:
    async with Emulator(batch_shape="captured", batch_seconds=None) as gradient:
        batch_client = new_batch_client(gradient)
        job = await batch_client.submit([*chat_lines(3), chat_line("bad", model="fail-")], request_id="postman-1")
        assert job["status"] == "queued"
        assert " ".join(job) == (
            "batch_id cancel_requested_at completion_window created_at expires_at file_id provider "
            "request_counts request_id result_available status updated_at"
        )
        job = await batch_client.wait(job["batch_id"])
        assert job["result_available"] is True
        links = await batch_client.links(job["batch_id"])
        assert set(links) == {"download", "output_file_id"}
        assert links["download"]["expires_at"][-11] == "."
        found = (await batch_client.send("GET", links["download"]["presigned_url"])).lines
        assert len(found) == 4


async def test_the_captured_shape_has_opaque_cursors(new_batch_client: NewBatchClient) -> None:
    async with Emulator(batch_shape="captured") as gradient:
        batch_client = new_batch_client(gradient)
        ids = [(await batch_client.submit(chat_lines(1), request_id=str(number)))["batch_id"] for number in range(3)]
        page = (await batch_client.call("GET", "/v1/batches?limit=2")).json
        assert [edge["node"]["batch_id"] for edge in page["edges"]] == ids[:0:-1]
        assert page["page_info"]["hasNextPage"] is True
        cursor = page["page_info"]["endCursor"].replace("=", "%3D")
        page = (await batch_client.call("GET", f"/v1/batches?limit=2&after={cursor}")).json
        assert [edge["node"]["batch_id"] for edge in page["edges"]] == ids[:1]
        assert (await batch_client.call("GET", "/v1/batches?after=nonsense")).json["edges"] == []


async def test_the_captured_shape_cancels_at_once(new_batch_client: NewBatchClient) -> None:
    async with Emulator(batch_shape="captured", batch_seconds=None) as gradient:
        batch_client = new_batch_client(gradient)
        job = await batch_client.submit(chat_lines(3))
        response = await batch_client.cancel(job["batch_id"])
        assert (response.json["status"], response.json["cancel_requested_at"] is not None) == ("cancelled", True)
