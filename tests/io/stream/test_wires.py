"""Every stream of ``tests/wires`` over a real socket, through the public API."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import AsyncSession, GradientError
from tests.support.raw_server import read_request, run_raw_server
from tests.support.wires import APIS, Wire, load_wires, snapshot_fields

HI: Any = [{"role": "user", "content": "Hi"}]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
OPEN: dict[str, Callable[[AsyncSession], Any]] = {
    "chat": lambda session: session.chat.completions.stream(model="m", messages=HI),
    "messages": lambda session: session.messages.stream(model="m", max_tokens=9, messages=HI),
    "responses": lambda session: session.responses.stream(model="m", input="Hi"),
}
WIRES = [wire for api in APIS for wire in load_wires(api)]


async def read_to_end(stream: Any) -> GradientError | None:
    """Read the text of *stream*, in whole characters; return its error, None if it ended well."""
    try:
        async for part in stream.text():
            part.encode()
    except GradientError as error:
        return error
    return None


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: f"{wire.api}: {wire.name}")
async def test_a_stream_gives_its_result(wire: Wire) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + wire.body)
        await writer.drain()

    async with run_raw_server(serve) as address, AsyncSession(api_key="k", base_url=f"http://{address}/v1") as session:
        stream = OPEN[wire.api](session)
        error = await read_to_end(stream)
        assert snapshot_fields(stream.snapshot) == wire.snapshot
        assert (error and type(error).__name__, stream.outcome) == (wire.error, wire.outcome)
        if error is not None:
            assert snapshot_fields(error.snapshot) == wire.snapshot  # type: ignore[attr-defined]  # it interrupted a call
