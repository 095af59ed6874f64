"""Cost of batch input and batch results, per gigabyte.

Measures the CPU seconds of the client process for each GB, and its resident memory above that of the import. A line has
about 1 KB. A server in a separate process sends and receives the files; the first rows process lines in memory.

Baselines: blocks read by bare aiohttp and newlines counted; msgspec, lines split and their envelopes decoded into
structs with the body skipped; msgspec directly into the result classes, from the same blocks and with each text read,
but without `raw`, line numbers and status checks; json of the standard library.

    python benchmarks/batch.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import json
import operator
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import msgspec
from harness import CPU, Goal, Row, compare_rows, main, measure_medians, read_memory, run_child
from server import WORDS

from gradient_async import AsyncSession, BatchLimits, BatchResult, ChatCompletion
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import InputValidator
from gradient_async._protocol.batch.result_body import ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import ResultDecoder, ResultLineReader
from gradient_async.resources.batch.batches import Batches

BLOCK = 1 << 20
GB = 1e9
CHAT = "/v1/chat/completions"
NO_LIMITS = BatchLimits(requests=10**9, size=10**12)
ABOVE_IMPORT = Goal(64, "MiB")
Work = Callable[[], None]


@attrs.frozen
class Size:
    """Amount of work in one run: MB in memory, MB over a socket, and rounds."""

    held: int
    streamed: int
    rounds: int


# The files.


def make_text(number: int) -> str:
    """Return a text that differs from line to line."""
    return " ".join(WORDS[(number * 7 + place * 3) % len(WORDS)] for place in range(105))


def input_line(number: int) -> bytes:
    """Return a line of an input."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": make_text(number) + ' "now"\n'}]
    body = {"model": "llama3.3-70b-instruct", "messages": messages, "max_tokens": 256, "temperature": 0.2}
    line = {"custom_id": f"request-{number:08d}", "method": "POST", "url": CHAT, "body": body}
    return json.dumps(line).encode() + b"\n"


def result_line(number: int) -> bytes:
    """Return a line of an output file."""
    message = {"role": "assistant", "content": make_text(number), "refusal": None, "reasoning_content": None}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    usage = {"prompt_tokens": 43, "completion_tokens": 126, "total_tokens": 169}
    body = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1754000000, "model": "m"}
    response = {"status_code": 200, "request_id": f"{number:032x}", "body": body | {"choices": choices, "usage": usage}}
    line = {"id": f"batch_req_{number}", "custom_id": f"request-{number:08d}", "response": response, "error": None}
    return json.dumps(line).encode() + b"\n"


def iterate_lines(make: Callable[[int], bytes], megabytes: float) -> Iterator[bytes]:
    """Yield lines until they add up to *megabytes*."""
    number = size = 0
    while size < megabytes * 1e6:
        yield (line := make(number))
        number, size = number + 1, size + len(line)


def make_blocks(make: Callable[[int], bytes], megabytes: float) -> list[bytes]:
    """Return *megabytes* of lines, cut into blocks as a socket or a file delivers them."""
    data = b"".join(iterate_lines(make, megabytes))
    return [data[begin : begin + BLOCK] for begin in range(0, len(data), BLOCK)]


# Lines in memory.


class Response(msgspec.Struct):
    """The response of a result line, its body not decoded."""

    body: msgspec.Raw = msgspec.Raw(b"null")
    status_code: int | None = None
    request_id: str | None = None


class Envelope(msgspec.Struct):
    """A result line, its body not decoded."""

    custom_id: str
    response: Response | None = None
    error: Any = None


class InputEnvelope(msgspec.Struct):
    """An input line, its body not decoded."""

    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


@attrs.define
class WholeResponse:
    """The response of a result line, decoded."""

    body: ChatCompletion | None = None
    status_code: int | None = None
    request_id: str | None = None


@attrs.define
class WholeLine:
    """A result line, decoded completely."""

    custom_id: str = ""
    response: WholeResponse | None = None
    error: Any = None


def decode_lines(decode: Callable[[bytes], Any], blocks: list[bytes]) -> None:
    """Split *blocks* into lines and decode each."""
    tail = b""
    for block in blocks:
        lines = (tail + block).split(b"\n")
        tail = lines.pop()
        for line in lines:
            decode(line)


def skip_result(_: BatchResult) -> None:
    """Read nothing of a result."""


def read_verdict(result: BatchResult) -> None:
    """Read the id and the verdict of a result."""
    assert result.custom_id
    assert result.ok


def read_response(result: BatchResult) -> None:
    """Read the response of a result, too."""
    read_verdict(result)
    assert result.text


READ: dict[str, Callable[[BatchResult], None]] = {
    "results not read": skip_result,
    "id and verdict read": read_verdict,
    "every result read": read_response,
}


def decode_results(blocks: list[bytes], read: Callable[[BatchResult], None]) -> None:
    """Decode *blocks* as the library does, and *read* every result."""
    decoder = ResultDecoder(ResultLineReader("output", ResultBodyDecoder(CHAT)))
    for block in blocks:
        for result in decoder.feed(block):
            read(result)


def validate_blocks(blocks: list[bytes], *, digest: bool) -> None:
    """Validate *blocks* as the library does."""
    validator = InputValidator(LineSchema("openai", CHAT), NO_LIMITS, digest=digest)
    for block in blocks:
        validator.feed(block)
    assert not validator.feed_eof()
    assert validator.build_report().ok


async def compare_contenders(
    what: str, contenders: dict[str, Work], held: list[bytes], rounds: int, **goals: Goal
) -> list[Row]:
    """Return the rows of work on *held*, which is in memory; a goal is named by the first word of its baseline."""
    gigabytes = sum(map(len, held)) / GB

    async def measure_seconds(work: Work) -> float:
        with CPU() as cpu:
            work()
        return cpu.seconds / gigabytes

    found = await measure_medians({name: partial(measure_seconds, work) for name, work in contenders.items()}, rounds)
    named = {name: goals[name.split()[0]] for name in contenders if name.split()[0] in goals}
    return compare_rows(what, "CPU s/GB", found, named | ({"": goals["ours"]} if "ours" in goals else {}))


async def measure_memory_rows(size: Size) -> list[Row]:
    """Return the rows of lines in memory."""
    results, inputs = make_blocks(result_line, size.held), make_blocks(input_line, size.held)
    envelope, whole = msgspec.json.Decoder(Envelope).decode, msgspec.json.Decoder(WholeLine).decode
    text_of = operator.attrgetter("response.body.text")
    skipping = msgspec.json.Decoder(InputEnvelope).decode
    rows: list[Row] = []
    envelopes: dict[str, Work] = {
        "msgspec envelope": lambda: decode_lines(envelope, results),
        "json": lambda: decode_lines(json.loads, results),
    }
    classes: dict[str, Work] = {
        "msgspec into the same classes": lambda: decode_lines(lambda line: text_of(whole(line)), results)
    }
    for what, baselines, goals in (
        ("results not read", {}, {"ours": Goal(1 / 0.6, "CPU s/GB")}),
        ("id and verdict read", envelopes, {}),
        ("every result read", classes, {"msgspec": Goal(1 / 0.9)}),
    ):
        ours: dict[str, Work] = {"ours": partial(decode_results, results, READ[what])}
        rows += await compare_contenders(f"result lines, {what}", ours | baselines, results, size.rounds, **goals)
    skipped: dict[str, Work] = {"msgspec envelope, body skipped": lambda: decode_lines(skipping, inputs)}
    for what, digest in (("input lines validated", False), ("the same, with the digest for a journal", True)):
        ours = {"ours": partial(validate_blocks, inputs, digest=digest)}
        rows += await compare_contenders(what, ours | skipped, inputs, size.rounds, ours=Goal(2.5, "CPU s/GB"))
    return rows


# Files over a socket.


async def serve_files(megabytes: str) -> None:
    """Serve the API and the storage host for one job with *megabytes* of results."""
    block = b"".join(iterate_lines(result_line, 4))
    times = max(int(float(megabytes) * 1e6 / len(block)), 1)

    async def serve_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        base = f"http://127.0.0.1:{port}"
        while head := await reader.readuntil(b"\r\n\r\n"):
            _, path, _ = head.decode().split(" ", 2)
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            while length:
                length -= len(await reader.read(min(length, BLOCK)))
            if path == "/output":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(block) * times))
                for _ in range(times):
                    writer.write(block)
                    await writer.drain()
                continue
            job = {"batch_id": "b", "status": "completed", "provider": "openai", "endpoint": CHAT}
            body = json.dumps(job | {"file_id": "f", "upload_url": f"{base}/in", "output_file_url": f"{base}/output"})
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body.encode()))

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve_requests(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(handle_connection, "127.0.0.1", 0, limit=BLOCK)
    port = listening.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port} {len(block) * times}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


@contextmanager
def run_server(megabytes: int) -> Iterator[list[str]]:
    """Run the server; yield its address and the size of its results in bytes."""
    command = [sys.executable, __file__, "--serve", str(megabytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().split()
        process.stdin.close()


async def iterate_results(read: Callable[[BatchResult], None], batches: Batches, _: str, __: str) -> None:
    """Iterate over the results of a job and *read* each."""
    async for result in batches.job("b").results():
        read(result)


async def read_bare(_: Batches, url: str, __: str) -> None:
    """Read the same bytes with bare aiohttp and count the lines."""
    lines = 0
    async with (
        aiohttp.ClientSession(read_bufsize=BLOCK, timeout=aiohttp.ClientTimeout(total=None)) as client,
        client.get(f"{url}/output") as response,
    ):
        async for block in response.content.iter_any():
            lines += block.count(b"\n")
    assert lines


async def validate_file(batches: Batches, _: str, path: str) -> None:
    """Validate an input file."""
    assert (await batches.validate(path, limits=NO_LIMITS)).ok


async def submit_file(batches: Batches, _: str, path: str) -> None:
    """Validate and upload an input file, and create its job."""
    await batches.submit(path, limits=NO_LIMITS)


OPERATIONS: dict[str, Callable[[Batches, str, str], Any]] = {
    **{what: partial(iterate_results, read) for what, read in READ.items()},
    "bare aiohttp": read_bare,
    "validate": validate_file,
    "submit": submit_file,
}


async def run_operation(name: str, url: str, path: str, size: str) -> None:
    """Print the CPU seconds per GB and the MiB above the import for one operation on a file of *size* bytes."""
    async with AsyncSession(api_key="test", base_url=url, limits=None) as session:
        batches = session.batches
        before = read_memory()
        with CPU() as cpu:
            await OPERATIONS[name](batches, url, path)
    print(json.dumps({"cpu": cpu.seconds / (int(size) / GB), "mib": (read_peak_memory() - before) / 1024}))


def read_peak_memory() -> float:
    """Return the peak resident memory in KiB; the value of getrusage would include the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1])


async def measure_socket_rows(size: Size) -> list[Row]:
    """Return the rows of complete files, each processed in a new process."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file, run_server(size.streamed) as (url, held):
        file.writelines(iterate_lines(input_line, size.streamed))
        file.flush()
        sizes = {"validate": file.tell(), "submit": file.tell()}
        found = {name: run_child(__file__, "--use", name, url, file.name, sizes.get(name, held)) for name in OPERATIONS}
    floor, how_much = found["bare aiohttp"]["cpu"], f"{size.streamed / 1000:g} GB"
    rows = [
        Row(f"{name}, {how_much}", "CPU s/GB", found[name]["cpu"], "bare aiohttp", floor, goal)
        for name, goal in zip(READ, (Goal(2.5), None, None), strict=True)
    ]
    rows += [Row(f"{name}, {how_much}", "CPU s/GB", found[name]["cpu"]) for name in ("validate", "submit")]
    mine = [name for name in OPERATIONS if name != "bare aiohttp"]
    return rows + [Row(f"{name}, {how_much}", "MiB", found[name]["mib"], goal=ABOVE_IMPORT) for name in mine]


async def measure(size: Size) -> list[Row]:
    """Return the rows of lines in memory and of files over a socket."""
    return await measure_memory_rows(size) + await measure_socket_rows(size)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve_files(sys.argv[2]))
    elif sys.argv[1:2] == ["--use"]:
        asyncio.run(run_operation(*sys.argv[2:]))
    else:
        main(measure, full=Size(64, 1000, 5), quick=Size(32, 200, 3), tiny=Size(1, 2, 1))
