"""A gateway in front of an emulator, and a plain HTTP client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from gradient_async import AsyncSession
from gradient_async.gateway.access import AccessPolicy
from gradient_async.gateway.server import Gateway
from gradient_async.testing import Emulator

CHAT = {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": "Capital of Portugal?"}]}


@attrs.define
class Bench:
    """An emulator, a gateway in front of it, and a client.

    Attributes:
        url: The address of the gateway.
    """

    emulator: Emulator
    session: AsyncSession
    gateway: Gateway
    url: str
    http: aiohttp.ClientSession

    async def post(self, path: str, json: Any, **options: Any) -> tuple[int, dict[str, str], Any]:
        """Return status, headers (in lower case) and JSON of a POST."""
        async with self.http.post(self.url + path, json=json, **options) as response:
            return (
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                await response.json(),
            )

    async def get_json(self, path: str, **options: Any) -> Any:
        async with self.http.get(self.url + path, **options) as response:
            return await response.json()


@asynccontextmanager
async def open_bench(
    emulator: Emulator | None = None, *, tokens: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[Bench]:
    """Open a gateway with a session of *options* in front of *emulator*."""
    async with (
        emulator or Emulator() as running,
        AsyncSession(
            "sk-real", base_url=running.url, agent_endpoint=running.agent_url, agent_access_key="agent-real", **options
        ) as session,
        Gateway(session, AccessPolicy(tokens)) as gateway,
        aiohttp.ClientSession() as http,
    ):
        yield Bench(running, session, gateway, await gateway.listen("127.0.0.1", 0), http)
