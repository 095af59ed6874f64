"""Whatever JSON a server sends, every call ends with a result or an error of the client."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradient_async import GradientError
from tests.adversity.public_calls import CALLS, open_world

ITEMS = b'"data": [%b], "choices": [%b], "results": [%b], "output": [%b], "content": [%b], "edges": %b'
BODIES = {
    "nothing": b"null",
    "a number": b"1",
    "a huge number": b"1" + b"0" * 5000,
    "a text": b'"\\ud800"',
    "a list": b"[1]",
    "an empty object": b"{}",
    "numbers for lists": b'{"data": -1.5, "choices": 1, "results": 1, "output": 1, "content": 1, "download": 1}',
    "truth for lists": b'{"edges": true, "page_info": 1, "data": true}',
    "objects for lists": b'{"data": {"0": {}}, "choices": {}, "results": {"a": 1}, "output": {}, "errors": {"data": 1}}',
    "lists of numbers": b"{" + ITEMS.replace(b"%b", b"1") + b"}",
    "lists of nothing": b"{" + ITEMS.replace(b"%b", b"null") + b"}",
    "lists of lists": b"{" + ITEMS.replace(b"%b", b"[[]]") + b"}",
    "numbers for names": b'{"status": 1, "id": 1, "batch_id": [], "file_id": {}, "upload_url": 1, "request_id": 1, "data": []}',
    "a deep value": b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("name", BODIES)
async def test_every_call_takes_any_json(tmp_path: Path, name: str) -> None:
    wrong = []
    async with open_world(tmp_path, patience=0.01) as world:
        world.emulator.clear()
        world.emulator.reply(body=BODIES[name], content_type="application/json", times=None, path="*")
        for call, run in CALLS.items():
            try:
                await run(world)
            except GradientError:
                pass
            except Exception as error:  # noqa: BLE001 - the errors that this is about
                wrong.append(f"{call}: {error!r}")
    assert wrong == []
