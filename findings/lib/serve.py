"""A server on loopback that answers every request with one body, chunks of streams, and gateways before the server."""

from __future__ import annotations

import atexit
import contextlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
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


def text_and_calls(text: str, *names: str) -> dict[str, Any]:
    """Return a chunk with *text* and a whole tool call, without arguments, of each of *names*."""
    calls = [
        {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for index, name in enumerate(names)
    ]
    return chunk({"role": "assistant", "content": text, "tool_calls": calls})


def events(*chunks: dict[str, Any], end: bytes = b"data: [DONE]\n\n") -> bytes:
    """Return *chunks* as server-sent events."""
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks) + end


def message(text: str, usage: dict[str, int]) -> dict[str, Any]:
    """Return a whole message of Anthropic's API."""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
    content = [{"type": "text", "text": text}]
    return {**start, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def message_events(text: str, first: dict[str, int], last: dict[str, int], *, names: bool = True) -> bytes:
    """Return the stream of a message with the usage *first* in its first event and *last* in its delta."""
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    begun = message(text, first) | {"content": [], "stop_reason": None}
    steps: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ending, "usage": last},
        {"type": "message_stop"},
    ]
    lines = [(f"event: {step['type']}\n" if names else "") + f"data: {json.dumps(step)}\n\n" for step in steps]
    return "".join(lines).encode()


class Server:
    """Answers every request with *body*, and a POST or PUT with *status*; its OpenAI-style base URL is ``url``.

    Args:
        body: The body of every answer, or a function that returns it for the body of the request.

    Attributes:
        status: The status of the answers to a POST or PUT, or a function that returns it for a body; may be changed.
        bodies: The body of each POST or PUT that arrived.
    """

    def __init__(
        self,
        body: bytes | Callable[[bytes], bytes] = b"{}",
        content_type: str = "text/event-stream",
        *,
        status: int | Callable[[bytes], int] = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.bodies = status, []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sent = self.read_body()
                owner.bodies.append(sent)
                self.answer(owner.status(sent) if callable(owner.status) else owner.status, sent)

            do_PUT = do_POST

            def do_GET(self) -> None:
                self.answer(200)

            def answer(self, status: int, sent: bytes = b"") -> None:
                content = body(sent) if callable(body) else body
                fields = {"content-type": content_type, "content-length": str(len(content)), **(headers or {})}
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                with contextlib.suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(content)

            def read_body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                blocks = []
                while size := int(self.rfile.readline() or b"0", 16):
                    blocks.append(self.rfile.read(size + 2)[:-2])
                self.rfile.readline()
                return b"".join(blocks)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.root = f"http://127.0.0.1:{server.server_port}"
        self.url = f"{self.root}/v1"


class Gateway:
    """Runs a gateway in a process of its own, on a free port of loopback, until the program ends.

    Args:
        command: Its command line; ``{port}`` stands for the port.
        ready: The path that answers when it is ready.
        environ: Variables of its environment, beside those of this process.
    """

    def __init__(self, *command: str, ready: str, environ: dict[str, str] | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [word.replace("{port}", str(port)) for word in command]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(words, env=os.environ | (environ or {}), **quiet)
        atexit.register(process.kill)
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"
        for _ in range(240):
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended with status {process.returncode}.")
            with contextlib.suppress(OSError), urllib.request.urlopen(self.root + ready, timeout=5):
                return
            time.sleep(0.5)
        raise SystemExit(f"{command[0]} is not ready after two minutes.")


def serve_logprobs(*tokens: str) -> tuple[str, str]:
    """Return the base URLs of a stream and of a whole response with *tokens* and their log probabilities."""

    def score(*tokens: str) -> dict[str, Any]:
        scores = [{"token": token, "logprob": -0.5, "bytes": None} for token in tokens]
        return {"content": [each | {"top_logprobs": [each]} for each in scores], "refusal": None}

    pieces = [chunk({"role": "assistant", "content": token}) for token in tokens]
    for token, piece in zip(tokens, pieces, strict=True):
        piece["choices"][0]["logprobs"] = score(token)
    message = {"role": "assistant", "content": "".join(tokens)}
    choice = {"index": 0, "message": message, "logprobs": score(*tokens), "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    stream = events(*pieces, chunk({}, "stop"))
    return Server(stream).url, Server(json.dumps(whole).encode(), "application/json").url


def serve_vectors(*indexes: int) -> str:
    """Return the base URL of a server of embeddings, listed by *indexes*; each vector is its own index."""
    data = [{"object": "embedding", "index": index, "embedding": [float(index)]} for index in indexes]
    body = {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    return Server(json.dumps(body).encode(), "application/json").url


def serve_call(name: str, **arguments: Any) -> Server:
    """Return a server whose answer is a call of *name* with *arguments* until a tool's result is sent, then a text."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]

    def answer(sent: bytes) -> bytes:
        fields = json.loads(sent)
        if any(each["role"] == "tool" for each in fields["messages"]):
            return complete(fields, {"content": "Done."}, "stop")
        return complete(fields, {"content": None, "tool_calls": calls}, "tool_calls")

    return Server(answer, "application/json")


def complete(fields: dict[str, Any], message: dict[str, Any], reason: str = "stop") -> bytes:
    """Return *message* as a request with *fields* asks for it, with 150 tokens: those of a stream only if asked for."""
    said, usage = {"role": "assistant", **message}, {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    if fields.get("stream"):
        asked = (fields.get("stream_options") or {}).get("include_usage")
        last = [chunk({}) | {"choices": [], "usage": usage}] if asked else []
        return events(chunk(said), chunk({}, reason), *last)
    choice = {"index": 0, "message": said, "finish_reason": reason}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


def tool_result(server: Server) -> Any:
    """Return the content of the last message that *server* got."""
    return json.loads(server.bodies[-1])["messages"][-1]["content"]


def post(url: str, **fields: Any) -> tuple[int, bytes]:
    """Post a chat completion to *url*, a base URL; return status and body."""
    body = json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer sk-any"}
    request = urllib.request.Request(f"{url}/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


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
