"""A server on loopback that answers every request with one body, and the chunks of chat completion streams."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from typing import Any

MESSAGES = [{"role": "user", "content": "Hi"}]


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}


def tool_call(name: str, arguments: str, call_id: str) -> dict[str, Any]:
    """Return a chunk with a piece of the tool call at index 0."""
    function = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "id": call_id, "type": "function", "function": function}]})


def events(*chunks: dict[str, Any], end: bytes = b"data: [DONE]\n\n") -> bytes:
    """Return *chunks* as server-sent events."""
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks) + end


class Server:
    """Answers every request with *body*; its OpenAI-style base URL is ``url``.

    Attributes:
        bodies: The body of each request that arrived.
    """

    def __init__(
        self,
        body: bytes = b"{}",
        content_type: str = "text/event-stream",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        bodies: list[bytes] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bodies.append(self.read_body())
                self.send_response(status)
                fields = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST

            def read_body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                blocks = []
                while size := int(self.rfile.readline(), 16):
                    blocks.append(self.rfile.read(size + 2)[:-2])
                self.rfile.readline()
                return b"".join(blocks)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.bodies = bodies
        self.root = f"http://127.0.0.1:{server.server_port}"
        self.url = f"{self.root}/v1"


def outcome(call: Any) -> Any:
    """Return what *call* returns, or the name of the exception and its message."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}".strip()


def expect(seen: dict[str, Any], expected: dict[str, Any]) -> None:
    """Print *seen* beside *expected* and end with status 1 if they differ."""
    for name, value in seen.items():
        print(f"{name:24} {value}" + ("" if value == expected[name] else f"\n{'  EXPECTED':24} {expected[name]}"))
    if seen != expected:
        raise SystemExit("The behaviour has changed.")
