"""A server that answers without thinking, in a process of its own, so that what is measured is the client.

The beginning of the path chooses the behaviour, and any client can be pointed at it, because what a client adds to
its base address is ignored:

    /burst/N      a stream of N chunks, each event an HTTP chunk, all in one write
    /varied/N     the same, where more than the text differs: every chunk carries the usage so far
    /whole/N      the same body in one piece, with a Content-Length
    /paced/N/R    N chunks, R a second, each with the nanosecond it was sent at as its text; starts at random
    /done/N/MS    a burst whose body ends MS milliseconds after its [DONE]; 0 puts both into one packet
    /first/N/MS   the first of N chunks, the others and the end MS milliseconds later
    /broken/N     N chunks, then the connection is cut
    /failing/N    N chunks, then an error event
    /json         a completion of about 1 KB
    /slow/MS      the same, MS milliseconds later
    /stats        what was counted so far, as JSON; the connection that asks is not counted

Every answer is encoded before it is asked for. `time.monotonic_ns` is one clock for all processes of a Linux machine.

    python benchmarks/server.py [--tls CERTIFICATE KEY]

prints its ports as one line of JSON and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache, partial

BACKLOG = 4096
STAMP_DIGITS = 20
TEXT = "The capital of Portugal is Lisbon , a city on the river Tagus ; it was rebuilt after 1755 ."
WORDS = TEXT.split()
FRAME = (
    '{"id":"chatcmpl-7d41b6a2f1c84c5e","object":"chat.completion.chunk","created":1754000000,'
    '"model":"llama3.3-70b-instruct","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}],"usage":%s}'
)
COMPLETION = (
    '{"id":"chatcmpl-7d41b6a2f1c84c5e","object":"chat.completion","created":1754000000,'
    '"model":"llama3.3-70b-instruct","choices":[{"index":0,"message":{"role":"assistant","content":"'
    + " ".join(WORDS * 6)
    + '","refusal":null,'
    '"reasoning_content":null,"tool_calls":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":43,'
    '"completion_tokens":126,"total_tokens":169,"cache_created_input_tokens":0,"cache_read_input_tokens":0},'
    '"system_fingerprint":"fp_2a885414fb","service_tier":null}'
)
FAILURE = '{"error":{"message":"The upstream model failed.","type":"server_error","code":502}}'
HEADERS = (
    "x-request-id: 7d41b6a2-f1c8-4c5e-9d55-0a1b2c3d4e5f\r\nratelimit-limit: 1000000000\r\n"
    "ratelimit-remaining: 999999999\r\nratelimit-reset: 1\r\ncf-ray: 9a1b2c3d4e5f6071-LIS\r\nserver: cloudflare\r\n"
    "vary: Origin\r\n"
)


def event(payload: str) -> bytes:
    """Return *payload* as a server-sent event."""
    return f"data: {payload}\n\n".encode()


def http_chunk(data: bytes) -> bytes:
    """Return *data* as a chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunk(delta: str, finish_reason: str = "null", usage: str = "null") -> bytes:
    """Return one event of a stream."""
    return event(FRAME % (delta, finish_reason, usage))


def events(number: int, usage: Callable[[int], str] = lambda _: "null") -> list[bytes]:
    """Return the events of a stream of *number* chunks of text, without the last one and ``[DONE]``."""
    first = chunk('{"role":"assistant","content":"Hello"}', usage=usage(1))
    texts = (f'{{"content":" {WORDS[i % len(WORDS)]}"}}' for i in range(number - 1))
    return [first, *(chunk(text, usage=usage(i)) for i, text in enumerate(texts, 2))]


def usage_so_far(tokens: int) -> str:
    """Return the usage after *tokens* of the answer, as some upstream servers send it with every chunk."""
    return f'{{"prompt_tokens":43,"completion_tokens":{tokens},"total_tokens":{43 + tokens}}}'


ENDING = [chunk("{}", '"stop"', usage_so_far(1000)), event("[DONE]")]
LAST = b"0\r\n\r\n"


def chunked(blocks: list[bytes]) -> bytes:
    """Return *blocks* as HTTP chunks, without the last, empty one."""
    return b"".join(map(http_chunk, blocks))


class Counts:
    """What `/stats` tells."""

    def __init__(self) -> None:
        self.accepted = self.open = self.requests = self.streams = self.lost = self.lost_at = 0

    def to_json(self) -> bytes:
        """Return the counts, and the CPU seconds this process has used."""
        return json.dumps(vars(self) | {"cpu": time.process_time()}).encode()


@lru_cache(maxsize=1)
def _date(_second: int) -> str:
    return formatdate(usegmt=True)


@lru_cache(maxsize=64)
def _head(second: int, kind: str, framing: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\ndate: {_date(second)}\r\ncontent-type: {kind}\r\n{HEADERS}{framing}\r\n\r\n".encode()


def stream_head() -> bytes:
    """Return the head of a chunked event stream."""
    return _head(int(time.time()), "text/event-stream; charset=utf-8", "transfer-encoding: chunked")


def sized_head(kind: str, size: int) -> bytes:
    """Return the head of a body of *size* bytes."""
    return _head(int(time.time()), kind, f"content-length: {size}")


class Connection(asyncio.Protocol):
    """One connection: finds the end of each request and plays what its path asks for."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None
        self.is_control = self.is_streaming = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counts.accepted += 1
        self.counts.open += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note when it went."""
        if self.timer is not None:
            self.timer.cancel()
        self.streaming(now=False)
        if not self.is_control:
            self.counts.open -= 1
            self.counts.lost += 1
            self.counts.lost_at = time.monotonic_ns()

    def streaming(self, *, now: bool) -> None:
        """Note whether an answer is under way."""
        self.counts.streams += now - self.is_streaming
        self.is_streaming = now

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + _content_length(self.buffer[:end])
            if len(self.buffer) < size:
                return
            path = self.buffer.split(b" ", 2)[1]
            self.buffer = self.buffer[size:]
            self.counts.requests += 1
            behaviour(path)(self)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call *call* unless the connection is lost before."""
        self.timer = asyncio.get_running_loop().call_later(seconds, call)


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


@lru_cache(maxsize=256)
def behaviour(path: bytes) -> Callable[[Connection], None]:
    """Return what plays the answer to *path*."""
    _, name, *rest = path.decode().partition("?")[0].split("/")
    numbers = [float(part) for part in rest if part.replace(".", "", 1).isdigit()]
    return BEHAVIOURS[name](*numbers)


def burst(number: float) -> Callable[[Connection], None]:
    """Play a stream at once."""
    body = chunked(events(int(number)) + ENDING) + LAST
    return lambda connection: connection.transport.write(stream_head() + body)


def varied(number: float) -> Callable[[Connection], None]:
    """Play a stream at once whose chunks differ in more than their text."""
    body = chunked(events(int(number), usage_so_far) + ENDING) + LAST
    return lambda connection: connection.transport.write(stream_head() + body)


def whole(number: float) -> Callable[[Connection], None]:
    """Play a stream whose body is not chunked."""
    body = b"".join(events(int(number)) + ENDING)
    return lambda connection: connection.transport.write(sized_head("text/event-stream", len(body)) + body)


def paced(number: float, rate: float) -> Callable[[Connection], None]:
    """Play a stream of stamped chunks."""
    return lambda connection: Pace(connection, int(number), 1 / rate).start()


def done(number: float, milliseconds: float = 0.0) -> Callable[[Connection], None]:
    """Play a stream whose body ends later than its events."""
    body = chunked(events(int(number)) + ENDING)

    def play(connection: Connection) -> None:
        connection.transport.write(stream_head() + body + (b"" if milliseconds else LAST))
        if milliseconds:
            connection.later(milliseconds / 1000, partial(connection.transport.write, LAST))

    return play


def first(number: float, milliseconds: float) -> Callable[[Connection], None]:
    """Play a stream whose first chunk comes alone, as a model's does."""
    one, *others = events(int(number))
    head, rest = chunked([one]), chunked([*others, *ENDING]) + LAST

    def play(connection: Connection) -> None:
        connection.transport.write(stream_head() + head)
        connection.later(milliseconds / 1000, partial(connection.transport.write, rest))

    return play


def broken(number: float) -> Callable[[Connection], None]:
    """Play the beginning of a stream and cut it."""
    body = chunked(events(int(number)))

    def play(connection: Connection) -> None:
        connection.transport.write(stream_head() + body)
        connection.transport.close()

    return play


def failing(number: float) -> Callable[[Connection], None]:
    """Play a stream that ends in an error event."""
    body = chunked([*events(int(number)), event(FAILURE)]) + LAST
    return lambda connection: connection.transport.write(stream_head() + body)


def completion() -> Callable[[Connection], None]:
    """Play a whole answer."""
    body = COMPLETION.encode()
    return lambda connection: connection.transport.write(sized_head("application/json", len(body)) + body)


def slow(milliseconds: float) -> Callable[[Connection], None]:
    """Play a whole answer that takes its time."""
    play = completion()
    return lambda connection: connection.later(milliseconds / 1000, partial(play, connection))


def stats() -> Callable[[Connection], None]:
    """Play what was counted; who asks for it is no client."""

    def play(connection: Connection) -> None:
        counts = connection.counts
        if not connection.is_control:
            connection.is_control = True
            counts.accepted -= 1
            counts.open -= 1
        counts.requests -= 1
        body = counts.to_json()
        connection.transport.write(sized_head("application/json", len(body)) + body)

    return play


class Pace:
    """Sends the stamped chunks of one stream."""

    __slots__ = ("connection", "due", "left", "period")
    before, after = http_chunk(chunk(f'{{"content":"{"0" * STAMP_DIGITS}"}}')).split(b"0" * STAMP_DIGITS)

    def __init__(self, connection: Connection, number: int, period: float) -> None:
        self.connection, self.left, self.period = connection, number, period

    def start(self) -> None:
        """Send the head, and the first chunk within one period."""
        self.connection.streaming(now=True)
        self.connection.transport.write(stream_head())
        self.due = asyncio.get_running_loop().time() + random.uniform(0, self.period)
        self._await_next()

    def _await_next(self) -> None:
        self.connection.timer = asyncio.get_running_loop().call_at(self.due, self._send)

    def _send(self) -> None:
        connection = self.connection
        if not self.left:
            connection.streaming(now=False)
            connection.transport.write(chunked(ENDING) + LAST)
            return
        self.left -= 1
        self.due += self.period
        self._await_next()
        connection.transport.write(b"%b%020d%b" % (self.before, time.monotonic_ns(), self.after))


BEHAVIOURS: dict[str, Callable[..., Callable[[Connection], None]]] = {
    "broken": broken,
    "burst": burst,
    "done": done,
    "failing": failing,
    "first": first,
    "json": completion,
    "paced": paced,
    "slow": slow,
    "stats": stats,
    "varied": varied,
    "whole": whole,
}


async def serve(certificate: list[str] | None) -> None:
    """Serve until standard input ends."""
    loop, counts = asyncio.get_running_loop(), Counts()
    made = partial(Connection, counts)
    server = await loop.create_server(made, "127.0.0.1", 0, backlog=BACKLOG)
    ports = {"port": server.sockets[0].getsockname()[1]}
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        secured = await loop.create_server(made, "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
        ports["tls_port"] = secured.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    parent_left = asyncio.Event()
    loop.add_reader(sys.stdin, parent_left.set)  # nothing is ever written to it: it is readable when it ends
    await parent_left.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="also serve TLS")
    asyncio.run(serve(parser.parse_args().tls))
