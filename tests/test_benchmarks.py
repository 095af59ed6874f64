"""Every benchmark runs, and a chunk costs no more calls and memory than it did; nothing here is timed."""

import gc
import importlib.util
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gradient_async import AsyncSession, ChatAccumulator
from gradient_async._protocol.stream.template_decoder import TemplateDecoder
from gradient_async.testing import Emulator

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SHARED = {"clients", "harness", "run", "server"}
ALL = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in SHARED)
WITHOUT_TINY = {"limiter"}
TINY = [name for name in ALL if name not in WITHOUT_TINY]
ROW = {"what", "unit", "ours", "baseline_name", "baseline", "ratio", "goal", "ok"}
AT_ONCE = 4

Finished = subprocess.CompletedProcess[str]


def python(*arguments: object) -> Finished:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def finished() -> Iterator[dict[str, Future[Finished]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        slowest_first = sorted(TINY, key=lambda name: name != "memory")
        yield {name: pool.submit(python, f"{name}.py", "--tiny", "--json") for name in slowest_first}


@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_yields_rows(name: str, finished: dict[str, Future[Finished]]) -> None:
    done = finished[name].result()
    assert done.stdout, done.stderr
    rows = json.loads(done.stdout.strip().splitlines()[-1])["rows"]
    assert rows
    assert all(row.keys() >= ROW and isinstance(row["ours"], int | float) for row in rows)


def test_the_runner_knows_every_benchmark() -> None:
    done = python("-c", "import run; print(*sorted(script.name for script in run.SCRIPTS))")
    assert done.stdout.split() == ALL


def test_the_runner_collects_the_rows(tmp_path: Path) -> None:
    done = python("run.py", "--tiny", "--json", tmp_path / "rows.json", "assembly")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert {row["benchmark"] for row in results["rows"]} == {"assembly"}


def test_the_runner_goes_on_after_a_failure_and_tells_it(tmp_path: Path) -> None:
    code = "import sys, run; run.SCRIPTS = (run.Script('missing'), run.Script('assembly')); sys.exit(run.main())"
    done = python("-c", code, "--tiny", "--json", tmp_path / "rows.json")
    assert done.returncode == 1
    results = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert results["failed"] == ["missing"]
    assert results["rows"]


# What a chunk costs.

CHUNKS = 2000


def server() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_server", BENCHMARKS / "server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def consumed(blocks: list[bytes]) -> tuple[ChatAccumulator, list[Any]]:
    """Do what a stream does with its body, and what its consumer does with the chunks."""
    decoder, accumulator, kept = TemplateDecoder(), ChatAccumulator(), []
    for block in blocks:
        for chunk in decoder.feed(block):
            accumulator.add_decoded(chunk)
            kept.append(chunk)
            _ = chunk.text
    return accumulator, kept


def calls_of(work: Callable[[], object]) -> int:
    """Return how many Python functions *work* calls."""
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


@pytest.fixture(scope="module")
def bodies() -> dict[str, list[bytes]]:
    module = server()
    plain, varied = module.make_events(CHUNKS), module.make_events(CHUNKS, module.encode_usage)
    whole = b"".join(plain)
    return {
        "an event a block": plain,
        "16 KiB a block": [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)],
        "varied, an event a block": varied,
    }


# Each is what the code took when the bound was set, and a fifth more. Lower them when the code gets cheaper.
MOST_CALLS = {"an event a block": 9.2, "16 KiB a block": 3.8, "varied, an event a block": 27.6}
MOST_BYTES = {"an event a block": 616, "16 KiB a block": 616, "varied, an event a block": 1739}
MOST_OBJECTS = {"an event a block": 8.4, "16 KiB a block": 8.4, "varied, an event a block": 21.3}


@pytest.mark.parametrize("shape", MOST_CALLS)
def test_a_chunk_takes_few_calls(shape: str, bodies: dict[str, list[bytes]]) -> None:
    consumed(bodies[shape])  # the converters are made once
    assert calls_of(lambda: consumed(bodies[shape])) / CHUNKS <= MOST_CALLS[shape]


@pytest.mark.parametrize("shape", MOST_BYTES)
def test_a_chunk_takes_little_memory(shape: str, bodies: dict[str, list[bytes]]) -> None:
    consumed(bodies[shape])
    gc.collect()
    tracemalloc.start()
    try:
        kept = consumed(bodies[shape])
        traces = tracemalloc.take_snapshot().traces
    finally:
        tracemalloc.stop()
    assert kept[0].snapshot().text
    assert sum(trace.size for trace in traces) / CHUNKS <= MOST_BYTES[shape]
    assert len(traces) / CHUNKS <= MOST_OBJECTS[shape]


# What a request costs: of our own functions, those of the emulator left out.

MOST_CALLS_OF_A_REQUEST, MOST_CALLS_TO_A_TOKEN = 94, 124
TRIES = 5
"""The fewest calls count: how an answer is cut into packets is the machine's business."""


@contextmanager
def own_calls() -> Iterator[list[str]]:
    """Note the name of every function of the library that is called, or goes on, in this thread."""
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
            with own_calls() as names:
                await session.chat.completions.create(**HI)
            counts.append(len(names))
    assert "Pipeline.send" in names
    assert min(counts) <= MOST_CALLS_OF_A_REQUEST


async def test_a_stream_takes_few_calls_to_its_first_token(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        counts = []
        for _ in range(TRIES):
            stream = session.chat.completions.stream(**HI)
            with own_calls() as names:
                async with stream:
                    while not (await anext(stream)).text:
                        pass
                    sys.setprofile(None)
                    counts.append(len(names))
                    await stream.completion()  # so that the next one finds a connection
    assert "StreamReader.next_event" in names
    assert min(counts) <= MOST_CALLS_TO_A_TOKEN
