"""Every benchmark runs, and calls and memory per chunk and request stay below their bounds; nothing is timed."""

import gc
import importlib
import importlib.util
import json
import logging
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gradient_async import AsyncSession, ChatAccumulator, RateLimiter, RateLimitInfo, RateLimits
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async._protocol.stream.accelerators.fast_event_decoder import FastEventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT, MESSAGE_HOLES, MessageAccumulator
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT, RESPONSE_HOLES, ResponseAccumulator
from gradient_async.testing import Emulator
from tests.support.forked import run_script, start_forked
from tests.support.gateway import open_bench

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SHARED = {"chunk_bodies", "clients", "event_bodies", "harness", "limiter_models", "limiter_redis", "run", "server"}
ALL = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in SHARED)
WITHOUT_TINY = {"limiter"}
TINY = [name for name in ALL if name not in WITHOUT_TINY]
ROW = {"what", "unit", "ours", "baseline_name", "baseline", "ratio", "goal", "ok"}
CONCURRENCY = 4
TINY_SECONDS = 300.0

Finished = subprocess.CompletedProcess[str]


def run_python(*arguments: object) -> Finished:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=300)


def run_tiny(name: str, folder: Path) -> tuple[str, str]:
    """Run the benchmark *name* in its smallest size; return what it wrote to stdout and stderr."""
    output, problems = folder / f"{name}.out", folder / f"{name}.err"
    arguments = (BENCHMARKS / f"{name}.py", ["--tiny", "--json"], output, problems)
    assert wait([start_forked(run_script, *arguments).process.sentinel], TINY_SECONDS)
    return output.read_text(encoding="utf-8"), problems.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[tuple[str, str]]]]:
    folder = tmp_path_factory.mktemp("tiny")
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        slowest_first = sorted(TINY, key=lambda name: name != "memory")
        yield {name: pool.submit(run_tiny, name, folder) for name in slowest_first}


@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_yields_rows(name: str, finished: dict[str, Future[tuple[str, str]]]) -> None:
    output, problems = finished[name].result()
    assert output, problems
    rows = json.loads(output.strip().splitlines()[-1])["rows"]
    assert rows
    assert all(row.keys() >= ROW and isinstance(row["ours"], int | float) for row in rows)


def test_the_runner_knows_every_benchmark() -> None:
    done = run_python("-c", "import run; print(*sorted(script.name for script in run.SCRIPTS))")
    assert done.stdout.split() == ALL


def test_the_runner_collects_the_rows(tmp_path: Path) -> None:
    done = run_python("run.py", "--tiny", "--json", tmp_path / "rows.json", "assembly")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert {row["benchmark"] for row in results["rows"]} == {"assembly"}


def test_the_runner_continues_after_a_failure_and_reports_it(tmp_path: Path) -> None:
    code = "import sys, run; run.SCRIPTS = (run.Script('missing'), run.Script('assembly')); sys.exit(run.main())"
    done = run_python("-c", code, "--tiny", "--json", tmp_path / "rows.json")
    assert done.returncode == 1
    results = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert results["failed"] == ["missing"]
    assert results["rows"]


# Cost of a chunk.

CHUNKS = 2000


def load_server() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_server", BENCHMARKS / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        spec.loader.exec_module(module)
    return module


def consume_stream(blocks: list[bytes]) -> tuple[ChatAccumulator, list[Any]]:
    """Decode and assemble *blocks* as a stream does, and access each text as a consumer does."""
    decoder, accumulator, kept = FastChatDecoder(), ChatAccumulator(), []
    for block in blocks:
        for chunk in chain.from_iterable(map(accumulator.follow, decoder.decode_block(block))):
            kept.append(chunk)
            _ = chunk.text
    return accumulator, kept


def count_calls(work: Callable[[], object]) -> int:
    """Return the number of Python functions that *work* calls."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


VARIED = ["chat-tools", "chat-usage", "chat-padded", "chat-dated", "chat-two", "chat-logprobs"]


@pytest.fixture(scope="module")
def bodies() -> dict[str, list[bytes]]:
    module = load_server()
    events = {"text": module.make_events(CHUNKS)}
    events |= {name: module.make_chunk_events(name, CHUNKS)[:-2] for name in VARIED}
    shapes: dict[str, list[bytes]] = {}
    for name, body in events.items():
        whole = b"".join(body)
        shapes[f"{name}, an event a block"] = body
        shapes[f"{name}, 16 KiB a block"] = [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)]
    return shapes


# Each bound is the measured value plus a fifth. Lower it when the code gets cheaper.
MAX_CALLS = {
    "text, an event a block": 9.6, "text, 16 KiB a block": 2.7,
    "chat-tools, an event a block": 16.6, "chat-tools, 16 KiB a block": 2.9,
    "chat-usage, an event a block": 22.9, "chat-usage, 16 KiB a block": 3.0,
    "chat-padded, an event a block": 14.6, "chat-padded, 16 KiB a block": 2.8,
    "chat-dated, an event a block": 20.4, "chat-dated, 16 KiB a block": 3.0,
    "chat-two, an event a block": 25.3, "chat-two, 16 KiB a block": 3.0,
    "chat-logprobs, an event a block": 33.7, "chat-logprobs, 16 KiB a block": 12.9,
}  # fmt: skip
MAX_BYTES = {
    "text, an event a block": 608, "text, 16 KiB a block": 608,
    "chat-tools, an event a block": 927, "chat-tools, 16 KiB a block": 927,
    "chat-usage, 16 KiB a block": 934, "chat-padded, 16 KiB a block": 683, "chat-logprobs, 16 KiB a block": 2932,
}  # fmt: skip
MAX_OBJECTS = {
    "text, an event a block": 8.5, "text, 16 KiB a block": 8.5,
    "chat-tools, an event a block": 14.5, "chat-tools, 16 KiB a block": 14.5,
    "chat-usage, 16 KiB a block": 14.2, "chat-padded, 16 KiB a block": 9.6, "chat-logprobs, 16 KiB a block": 42.3,
}  # fmt: skip


@pytest.mark.parametrize("shape", MAX_CALLS)
def test_a_chunk_takes_few_calls(shape: str, bodies: dict[str, list[bytes]]) -> None:
    consume_stream(bodies[shape])  # warm up: converters are created once
    assert count_calls(lambda: consume_stream(bodies[shape])) / CHUNKS <= MAX_CALLS[shape]


@pytest.mark.parametrize("shape", MAX_BYTES)
def test_a_chunk_takes_little_memory(shape: str, bodies: dict[str, list[bytes]]) -> None:
    consume_stream(bodies[shape])
    gc.collect()
    tracemalloc.start()
    try:
        kept = consume_stream(bodies[shape])
        traces = tracemalloc.take_snapshot().traces
    finally:
        tracemalloc.stop()
    assert kept[0].snapshot().text or kept[0].snapshot().tool_calls
    assert sum(trace.size for trace in traces) / CHUNKS <= MAX_BYTES[shape]
    assert len(traces) / CHUNKS <= MAX_OBJECTS[shape]


# Cost of an event of a messages or a responses stream.

EVENT_STREAMS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "message": (partial(FastEventDecoder, MESSAGE_DIALECT, MESSAGE_HOLES), MessageAccumulator),
    "response": (partial(FastEventDecoder, RESPONSE_DIALECT, RESPONSE_HOLES), ResponseAccumulator),
}
MAX_EVENT_CALLS = {
    ("message-text", "16 KiB a block"): 2.9,
    ("message-thinking", "16 KiB a block"): 2.9,
    ("message-tool", "16 KiB a block"): 2.9,
    ("message-text", "an event a block"): 24.2,
    ("response-text", "16 KiB a block"): 3.4,
    ("response-call", "16 KiB a block"): 4.6,
    ("response-text", "an event a block"): 26.6,
}


def consume_events(name: str, blocks: list[bytes]) -> list[Any]:
    """Decode and assemble *blocks* of the stream *name* as a stream does, and return its events."""
    new_decoder, new_accumulator = EVENT_STREAMS[name.partition("-")[0]]
    decoder, accumulator = new_decoder(), new_accumulator()
    return [event for block in blocks for batch in decoder.decode_block(block) for event in accumulator.follow(batch)]


@pytest.mark.parametrize(("name", "shape"), MAX_EVENT_CALLS)
def test_an_event_takes_few_calls(name: str, shape: str) -> None:
    events = load_server().make_event_body(name, CHUNKS)
    whole = b"".join(events)
    blocks = events if shape == "an event a block" else [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)]
    assert len(consume_events(name, blocks)) >= CHUNKS  # warm up: converters are created once
    assert count_calls(lambda: consume_events(name, blocks)) / CHUNKS <= MAX_EVENT_CALLS[name, shape]


# Cost of the limiter: functions that are called for one uncontended acquire.

QUOTAS = {"limit_requests": 10**9, "remaining_requests": 10**9 - 1,
          "limit_tokens_per_minute": 10**11, "remaining_tokens_per_minute": 10**11 - 1,
          "limit_tokens_per_day": 10**12, "remaining_tokens_per_day": 10**12 - 1}  # fmt: skip
MAX_ACQUIRE_CALLS = {"no model": 6, "a model without quotas": 6, "a model with quotas": 9}


@pytest.mark.parametrize("kind", MAX_ACQUIRE_CALLS)
async def test_an_uncontended_acquire_takes_few_calls(kind: str) -> None:
    limiter, model = RateLimiter(RateLimits(windows=[(10**6, 60.0)])), None if kind == "no model" else "m"
    permit = await limiter.acquire(model=model)
    info = RateLimitInfo(**QUOTAS) if "with quotas" in kind else RateLimitInfo()
    limiter.apply_response(info, status=200, sent_at=permit.sent_at, model=model)
    with record_own_calls() as names:
        another = await limiter.acquire(model=model, tokens=500)
    assert len(names) <= MAX_ACQUIRE_CALLS[kind], names
    assert another.waited == permit.waited == 0.0


def test_saturated_models_and_agents_of_the_benchmark_are_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    limiter, models = importlib.import_module("limiter"), importlib.import_module("limiter_models")
    monkeypatch.setattr(models, "SECONDS", 600)
    tiers = limiter.TIERS["models bind"]
    result = models.simulate_models(tiers, lambda: limiter.Service().admits, 5 * 2500)  # ten minutes of the minute's
    assert result["refused"] == 0
    assert result["unused"] <= 0.01


# Cost of a request: functions of the library, without those of the emulator.


@pytest.fixture(autouse=True)
def _log_warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    """Count what a program pays that does not look at records for debugging."""
    caplog.set_level(logging.WARNING, logger="gradient_async")


MAX_REQUEST_CALLS, MAX_FIRST_TOKEN_CALLS, MAX_GATEWAY_CALLS = 97, 124, 124
TRIES = 5
"""The smallest count is compared, because the machine decides how a response is split into packets."""


@contextmanager
def record_own_calls() -> Iterator[list[str]]:
    """Record the name of every function of the library that is called or resumed in this thread."""
    names: list[str] = []

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and "gradient_async" in code.co_filename and "testing" not in code.co_filename:
            names.append(code.co_qualname)

    sys.setprofile(profile)
    try:
        yield names
    finally:
        sys.setprofile(None)


HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


async def test_a_request_takes_few_calls(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        counts = []
        for _ in range(TRIES):
            with record_own_calls() as names:
                await session.chat.completions.create(**HI)
            counts.append(len(names))
    assert "Pipeline.send" in names
    assert min(counts) <= MAX_REQUEST_CALLS


async def test_a_stream_takes_few_calls_to_its_first_token(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        counts = []
        for _ in range(TRIES):
            stream = session.chat.completions.stream(**HI)
            with record_own_calls() as names:
                async with stream:
                    while not (await anext(stream)).text:
                        pass
                    sys.setprofile(None)
                    counts.append(len(names))
                    await stream.completion()  # returns the connection to the pool
    assert "StreamReader.next_event" in names
    assert min(counts) <= MAX_FIRST_TOKEN_CALLS


async def test_a_request_through_the_gateway_takes_few_calls() -> None:
    async with open_bench() as bench:
        bench.emulator.reply("Lisbon.", times=None)
        counts = []
        for _ in range(TRIES):
            with record_own_calls() as names:
                status, _, _ = await bench.post("/v1/chat/completions", HI)
            counts.append(len(names))
        assert (status, min(counts) <= MAX_GATEWAY_CALLS) == (200, True), counts
