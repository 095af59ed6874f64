"""How soon does a service stop paying for a client that has left?

A web client asks one of the applications in examples/, which asks the server; then it closes its connection. The time
runs from there until the server sees its own connection close. ``/stream`` is left after its first event, ``/chat``
while the answer is being waited for.

    python benchmarks/disconnect.py [--quick] [--json]
"""

from __future__ import annotations

import importlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
from clients import KEY
from harness import HERE, Goal, Row, Server, main, server

APPS = ("aiohttp_app", "fastapi_app", "litestar_app")
UPSTREAM = {"/stream": "paced/1000000/100", "/chat": "slow/60000"}
BODY = b'{"messages":[{"role":"user","content":"Hello"}]}'
PATIENCE_SECONDS = 5.0
STEP_SECONDS = 0.002
GOAL = {"median": Goal(50, "ms"), "longest": Goal(100, "ms")}


@attrs.frozen
class Size:
    """How much is measured."""

    clients: int
    apps: tuple[str, ...] = APPS


def serve(name: str) -> None:
    """Serve an example on a free port, which is printed."""
    sys.path.insert(0, str(HERE.parent / "examples"))
    module = importlib.import_module(name)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    if name == "aiohttp_app":
        from aiohttp import web

        web.run_app(module.application(), sock=listening, handler_cancellation=True, print=None)
        return
    import uvicorn

    uvicorn.Server(uvicorn.Config(module.app, log_level="error", loop="asyncio")).run(sockets=[listening])


@contextmanager
def served(name: str, upstream: str) -> Iterator[int]:
    """Run `serve` in a process of its own, and give its port."""
    environ = os.environ | {"GRADIENT_INFERENCE_ENDPOINT": upstream, "MODEL_ACCESS_KEY": KEY}
    command = [sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def wait_until(running: Server, what: str, count: float) -> dict[str, float]:
    """Return the server's counts once *what* has reached *count*.

    Raises:
        RuntimeError: It did not.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while (stats := running.stats())[what] < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{what} stayed at {stats[what]} where {count} was due")
        time.sleep(STEP_SECONDS)
    return stats


def ms_to_stop(running: Server, port: int, path: str) -> float:
    """Return the milliseconds from a client leaving to the upstream connection closing."""
    before = running.stats()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + BODY)
        wait_until(running, "requests", before["requests"] + 1)
        answer = b""
        while path == "/stream" and b"data:" not in answer:
            answer += client.recv(65_536)
        left_at = time.monotonic_ns()
    return (wait_until(running, "lost", before["lost"] + 1)["lost_at"] - left_at) / 1e6


async def measure(size: Size) -> list[Row]:
    """Return the rows of each application."""
    rows: list[Row] = []
    with server() as running:
        for name in size.apps:
            for path, behaviour in UPSTREAM.items():
                with served(name, running.url(behaviour)) as port:
                    times = [ms_to_stop(running, port, path) for _ in range(size.clients)]
                what = f"{name} {path}, client gone"
                rows.append(Row(f"{what}, median", "ms", statistics.median(times), goal=GOAL["median"]))
                rows.append(Row(f"{what}, longest", "ms", max(times), goal=GOAL["longest"]))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(measure, full=Size(50), quick=Size(15), tiny=Size(1, APPS[:1]))
