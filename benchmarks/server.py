"""A server that sends prepared responses from a separate process, so that only the client is measured.

The start of the path selects the behaviour. The rest of the path is ignored, so any client can use such a base address:

    /burst/N      a stream of N chunks, each event in its own HTTP chunk, in one write
    /chat-tools/N, /chat-usage/N, /chat-padded/N, /chat-dated/N, /chat-two/N, /chat-logprobs/N
                  the same with chunks that differ in more than their text
    /message-text/N, /message-thinking/N, /message-tool/N, /response-text/N, /response-call/N
                  a messages or a responses stream of N deltas, played like /burst
    /whole/N      the same body as /burst in one piece, with a Content-Length
    /paced/N/R    N chunks, R a second, each with its send time in nanoseconds as text; starts at a random time
    /done/N/MS    a burst whose body ends MS milliseconds after its [DONE]; 0 puts both into one packet
    /first/N/MS   the first of N chunks; the others and the end MS milliseconds later
    /broken/N     N chunks, then the connection is closed
    /failing/N    N chunks, then an error event
    /json         a completion of about 1 KB
    /slow/MS      the same, MS milliseconds later
    /stats        the counters as JSON; the connection that requests them is not counted

Every response is encoded in advance. `time.monotonic_ns` is one clock for all processes of a Linux machine.

    python benchmarks/server.py [--tls CERTIFICATE KEY]

prints its ports as one line of JSON and exits when stdin is closed.
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

from chunk_bodies import CHUNK_BODIES, make_chunk_events
from event_bodies import BODIES, make_event_body

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


def encode_event(payload: str) -> bytes:
    """Encode *payload* as a server-sent event."""
    return f"data: {payload}\n\n".encode()


def encode_http_chunk(data: bytes) -> bytes:
    """Encode *data* as a chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def encode_chunk_event(delta: str, finish_reason: str = "null", usage: str = "null") -> bytes:
    """Encode one stream chunk as an event."""
    return encode_event(FRAME % (delta, finish_reason, usage))


def make_events(number: int, usage: Callable[[int], str] = lambda _: "null") -> list[bytes]:
    """Return the events of *number* text chunks, without the final chunk and ``[DONE]``."""
    first = encode_chunk_event('{"role":"assistant","content":"Hello"}', usage=usage(1))
    texts = (f'{{"content":" {WORDS[i % len(WORDS)]}"}}' for i in range(number - 1))
    return [first, *(encode_chunk_event(text, usage=usage(i)) for i, text in enumerate(texts, 2))]


def encode_usage(tokens: int) -> str:
    """Encode the usage after *tokens* tokens, which some upstream servers send with every chunk."""
    return f'{{"prompt_tokens":43,"completion_tokens":{tokens},"total_tokens":{43 + tokens}}}'


ENDING = [encode_chunk_event("{}", '"stop"', encode_usage(1000)), encode_event("[DONE]")]
LAST = b"0\r\n\r\n"


def encode_chunks(blocks: list[bytes]) -> bytes:
    """Encode *blocks* as HTTP chunks, without the empty chunk at the end."""
    return b"".join(map(encode_http_chunk, blocks))


class Counts:
    """Counters that `/stats` returns."""

    def __init__(self) -> None:
        self.accepted = self.open = self.requests = self.streams = self.lost = self.lost_at = 0

    def to_json(self) -> bytes:
        """Return the counters and the CPU seconds of this process."""
        return json.dumps(vars(self) | {"cpu": time.process_time()}).encode()


@lru_cache(maxsize=1)
def _format_date(_second: int) -> str:
    return formatdate(usegmt=True)


@lru_cache(maxsize=64)
def _format_head(second: int, kind: str, framing: str) -> bytes:
    date = _format_date(second)
    return f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-type: {kind}\r\n{HEADERS}{framing}\r\n\r\n".encode()


def make_stream_head() -> bytes:
    """Return the head of a chunked event stream."""
    return _format_head(int(time.time()), "text/event-stream; charset=utf-8", "transfer-encoding: chunked")


def make_sized_head(kind: str, size: int) -> bytes:
    """Return the head of a body of *size* bytes."""
    return _format_head(int(time.time()), kind, f"content-length: {size}")


class Connection(asyncio.Protocol):
    """One connection: parses requests and plays the behaviour of each path."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None
        self.is_control = self.is_streaming = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counts.accepted += 1
        self.counts.open += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count the loss and record its time."""
        if self.timer is not None:
            self.timer.cancel()
        self.set_streaming(now=False)
        if not self.is_control:
            self.counts.open -= 1
            self.counts.lost += 1
            self.counts.lost_at = time.monotonic_ns()

    def set_streaming(self, *, now: bool) -> None:
        """Record whether a stream is being sent."""
        self.counts.streams += now - self.is_streaming
        self.is_streaming = now

    def data_received(self, data: bytes) -> None:
        """Play the behaviour of every complete request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            size = end + 4 + _parse_content_length(self.buffer[:end])
            if len(self.buffer) < size:
                return
            path = self.buffer.split(b" ", 2)[1]
            self.buffer = self.buffer[size:]
            self.counts.requests += 1
            select_behaviour(path)(self)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Schedule *call* unless the connection is lost first."""
        self.timer = asyncio.get_running_loop().call_later(seconds, call)


def _parse_content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


@lru_cache(maxsize=256)
def select_behaviour(path: bytes) -> Callable[[Connection], None]:
    """Return the behaviour that *path* selects."""
    _, name, *rest = path.decode().partition("?")[0].split("/")
    numbers = [float(part) for part in rest if part.replace(".", "", 1).isdigit()]
    return BEHAVIOURS[name](*numbers)


def play_burst(number: float) -> Callable[[Connection], None]:
    """Play a stream in one write."""
    body = encode_chunks(make_events(int(number)) + ENDING) + LAST
    return lambda connection: connection.transport.write(make_stream_head() + body)


def play_chunks(name: str, number: float) -> Callable[[Connection], None]:
    """Play a stream in one write, of chunks that differ in more than their text."""
    body = encode_chunks(make_chunk_events(name, int(number))) + LAST
    return lambda connection: connection.transport.write(make_stream_head() + body)


def play_events(name: str, number: float) -> Callable[[Connection], None]:
    """Play a messages or a responses stream in one write."""
    body = encode_chunks(make_event_body(name, int(number))) + LAST
    return lambda connection: connection.transport.write(make_stream_head() + body)


def play_whole(number: float) -> Callable[[Connection], None]:
    """Play a stream with a Content-Length instead of chunks."""
    body = b"".join(make_events(int(number)) + ENDING)
    return lambda connection: connection.transport.write(make_sized_head("text/event-stream", len(body)) + body)


def play_paced(number: float, rate: float) -> Callable[[Connection], None]:
    """Play a stream of chunks that carry their send time."""
    return lambda connection: PacedSender(connection, int(number), 1 / rate).start()


def play_late_end(number: float, milliseconds: float = 0.0) -> Callable[[Connection], None]:
    """Play a stream; end its body *milliseconds* after ``[DONE]``."""
    body = encode_chunks(make_events(int(number)) + ENDING)

    def play(connection: Connection) -> None:
        connection.transport.write(make_stream_head() + body + (b"" if milliseconds else LAST))
        if milliseconds:
            connection.call_later(milliseconds / 1000, partial(connection.transport.write, LAST))

    return play


def play_first_alone(number: float, milliseconds: float) -> Callable[[Connection], None]:
    """Play a stream; send its first chunk alone, as a model does."""
    one, *others = make_events(int(number))
    head, rest = encode_chunks([one]), encode_chunks([*others, *ENDING]) + LAST

    def play(connection: Connection) -> None:
        connection.transport.write(make_stream_head() + head)
        connection.call_later(milliseconds / 1000, partial(connection.transport.write, rest))

    return play


def play_broken(number: float) -> Callable[[Connection], None]:
    """Play the start of a stream and close the connection."""
    body = encode_chunks(make_events(int(number)))

    def play(connection: Connection) -> None:
        connection.transport.write(make_stream_head() + body)
        connection.transport.close()

    return play


def play_failing(number: float) -> Callable[[Connection], None]:
    """Play a stream that ends with an error event."""
    body = encode_chunks([*make_events(int(number)), encode_event(FAILURE)]) + LAST
    return lambda connection: connection.transport.write(make_stream_head() + body)


def play_completion() -> Callable[[Connection], None]:
    """Play a completion."""
    body = COMPLETION.encode()
    return lambda connection: connection.transport.write(make_sized_head("application/json", len(body)) + body)


def play_slow(milliseconds: float) -> Callable[[Connection], None]:
    """Play a completion after *milliseconds*."""
    play = play_completion()
    return lambda connection: connection.call_later(milliseconds / 1000, partial(play, connection))


def play_stats() -> Callable[[Connection], None]:
    """Play the counters; the connection that requests them is not counted."""

    def play(connection: Connection) -> None:
        counts = connection.counts
        if not connection.is_control:
            connection.is_control = True
            counts.accepted -= 1
            counts.open -= 1
        counts.requests -= 1
        body = counts.to_json()
        connection.transport.write(make_sized_head("application/json", len(body)) + body)

    return play


class PacedSender:
    """Sends the timestamped chunks of one stream."""

    __slots__ = ("connection", "due", "period", "remaining")
    before, after = encode_http_chunk(encode_chunk_event(f'{{"content":"{"0" * STAMP_DIGITS}"}}')).split(
        b"0" * STAMP_DIGITS
    )

    def __init__(self, connection: Connection, number: int, period: float) -> None:
        self.connection, self.remaining, self.period = connection, number, period

    def start(self) -> None:
        """Send the head, and the first chunk within one period."""
        self.connection.set_streaming(now=True)
        self.connection.transport.write(make_stream_head())
        self.due = asyncio.get_running_loop().time() + random.uniform(0, self.period)
        self._schedule_next()

    def _schedule_next(self) -> None:
        self.connection.timer = asyncio.get_running_loop().call_at(self.due, self._send)

    def _send(self) -> None:
        connection = self.connection
        if not self.remaining:
            connection.set_streaming(now=False)
            connection.transport.write(encode_chunks(ENDING) + LAST)
            return
        self.remaining -= 1
        self.due += self.period
        self._schedule_next()
        connection.transport.write(b"%b%020d%b" % (self.before, time.monotonic_ns(), self.after))


BEHAVIOURS: dict[str, Callable[..., Callable[[Connection], None]]] = {
    "broken": play_broken,
    "burst": play_burst,
    "done": play_late_end,
    "failing": play_failing,
    "first": play_first_alone,
    "json": play_completion,
    "paced": play_paced,
    "slow": play_slow,
    "stats": play_stats,
    "whole": play_whole,
    **{name: partial(play_chunks, name) for name in CHUNK_BODIES},
    **{name: partial(play_events, name) for name in BODIES},
}


async def serve_until_eof(certificate: list[str] | None) -> None:
    """Serve until stdin is closed."""
    loop, counts = asyncio.get_running_loop(), Counts()
    new_connection = partial(Connection, counts)
    server = await loop.create_server(new_connection, "127.0.0.1", 0, backlog=BACKLOG)
    ports = {"port": server.sockets[0].getsockname()[1]}
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        secured = await loop.create_server(new_connection, "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
        ports["tls_port"] = secured.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    stdin_closed = asyncio.Event()
    loop.add_reader(sys.stdin, stdin_closed.set)  # readable means closed: nothing is written to stdin
    await stdin_closed.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="also serve TLS")
    asyncio.run(serve_until_eof(parser.parse_args().tls))
