"""Servers of web applications, in the loop of a test and on a real socket."""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def serve_with_uvicorn(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
        task = asyncio.ensure_future(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task


def prepare_examples(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let the examples be imported, use the service at *address*, and time out early."""
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", address)
    monkeypatch.setenv("MODEL_ACCESS_KEY", "test")
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(importlib.import_module("web_parts"), "TIMEOUT", 0.5)


def load_example(name: str) -> ModuleType:
    """Import the example *name* anew."""
    return importlib.reload(importlib.import_module(name))
