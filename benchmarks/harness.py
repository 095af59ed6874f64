"""Shared parts of the benchmarks: the server, alternating rounds, rows with goals, and the command line.

A script defines a `measure` coroutine and three sizes, and calls `main`. A row compares this library (*ours*) with one
baseline; its goal limits the ratio to the baseline or the library's own number.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import operator
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import attrs

HERE = Path(__file__).parent
CHILD_SECONDS = 150
SPIN = """
import os, sys
processor, parent = map(int, sys.argv[1:])
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
os.sched_setaffinity(0, {processor})
while os.getppid() == parent:
    pass
"""
HEADS = ["what", "unit", "ours", "baseline", "", "ratio", "goal", "ok"]
NUMBERS = (2, 4, 5)
S = TypeVar("S")
Measure = Callable[[Any], Awaitable[list["Row"]]]


@attrs.frozen
class Goal:
    """An upper bound: *most* times the baseline, or *most* of *unit* if there is one."""

    most: float
    unit: str | None = None

    def is_met(self, ours: float, ratio: float | None) -> bool | None:
        """Whether the goal is met; None if there is no ratio."""
        value = ours if self.unit is not None else ratio
        return None if value is None else value <= self.most

    def __str__(self) -> str:
        if self.unit is not None:
            return f"<= {self.most:g} {self.unit}".rstrip()
        return f"<= {self.most:g} x" if self.most >= 1 else f"<= 1/{1 / self.most:g}"


class Median(float):
    """The median of the values of several rounds, with the values."""

    rounds: tuple[float, ...]

    def __new__(cls, rounds: Iterable[float]) -> Self:
        """Create the median of *rounds*, values in the order of their rounds."""
        values = tuple(rounds)
        median = super().__new__(cls, statistics.median(values))
        median.rounds = values
        return median


@attrs.frozen
class Row:
    """A comparison with one baseline, or a number without a baseline."""

    what: str
    unit: str
    ours: float
    baseline_name: str = ""
    baseline: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the baseline: the median of the ratios of each round, if both have rounds.

        Contenders of one round run within seconds of each other, so a machine that slows down affects both.
        """
        ours, baseline = self.ours, self.baseline
        if not baseline:
            return None
        if isinstance(ours, Median) and isinstance(baseline, Median) and all(baseline.rounds):
            return float(statistics.median(map(operator.truediv, ours.rounds, baseline.rounds)))
        return ours / baseline

    def to_dict(self) -> dict[str, Any]:
        """Return the row as values for JSON."""
        ok = None if self.goal is None else self.goal.is_met(self.ours, self.ratio)
        own = attrs.asdict(self, recurse=False)
        return own | {"ratio": self.ratio, "goal": "" if self.goal is None else str(self.goal), "ok": ok}


def compare_rows(
    what: str, unit: str, results: Mapping[str, float], goals: Mapping[str, Goal] | None = None
) -> list[Row]:
    """Return a row for each baseline in *results*; the first entry is this library.

    Args:
        what: Name of the measurement.
        unit: Unit of its values.
        results: Median of each contender, by name.
        goals: Goals by name of the baseline; ``""`` is a goal without a baseline.
    """
    wanted = dict(goals or {})
    (_, ours), *baselines = results.items()
    rows = [Row(what, unit, ours, goal=wanted.pop(""))] if "" in wanted else []
    rows += [Row(what, unit, ours, name, value, wanted.get(name)) for name, value in baselines]
    return rows or [Row(what, unit, ours)]


# Rounds.


async def measure_medians(contenders: Mapping[str, Callable[[], Awaitable[float]]], rounds: int) -> dict[str, Median]:
    """Measure each contender *rounds* times and return the medians; a contender that fails is left out with a note.

    Contenders take turns in random order, because each finds the caches as its predecessor left them.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    failed: set[str] = set()
    gc.collect()
    gc.freeze()  # keeps the collector from scanning imported modules in every round
    draw = random.Random(0)
    for _ in range(rounds):
        for name, contender in draw.sample(list(contenders.items()), len(contenders)):
            if name in failed:
                continue
            try:
                found[name].append(await contender())
            except Exception as error:  # noqa: BLE001 - a baseline that fails must not end the run
                failed.add(name)
                print_note(f"{name} failed and is left out: {error!r}"[:300])
    if failed and next(iter(contenders)) in failed:
        raise RuntimeError("this library failed; see the note above")
    return {name: Median(values) for name, values in found.items() if name not in failed}


class CPU:
    """Measures the CPU time of this process inside a ``with`` block."""

    def __enter__(self) -> Self:
        gc.collect()
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._began


def print_note(text: str) -> None:
    """Print *text* to stderr, beside the results."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def read_memory() -> float:
    """Return the resident memory of this process in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024


def raise_file_limit() -> None:
    """Raise the limit of open files to the maximum of the process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# Processes.


class Server:
    """A running `server.py`."""

    def __init__(self, ports: Mapping[str, int], certificate: str | None) -> None:
        self._ports, self.certificate = ports, certificate
        self._control = http.client.HTTPConnection("127.0.0.1", ports["port"])

    def url(self, behaviour: str, *, tls: bool = False) -> str:
        """Return the base address of *behaviour*, e.g. ``burst/100``."""
        port = self._ports["tls_port" if tls else "port"]
        return f"{'https' if tls else 'http'}://127.0.0.1:{port}/{behaviour}"

    def stats(self) -> dict[str, float]:
        """Return the counters of the server."""
        self._control.request("GET", "/stats")
        counts: dict[str, float] = json.loads(self._control.getresponse().read())
        return counts


@contextmanager
def run_server(*, tls: bool = False) -> Iterator[Server]:
    """Run `server.py`; with *tls*, use a certificate created for this run."""
    raise_file_limit()  # inherited by the server
    with tempfile.TemporaryDirectory() as folder:
        certificate = create_certificate(Path(folder)) if tls else []
        command = [sys.executable, str(HERE / "server.py"), *(["--tls", *certificate] if certificate else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield Server(json.loads(process.stdout.readline()), certificate[0] if certificate else None)
            finally:
                process.stdin.close()


@contextmanager
def keep_processors_awake() -> Iterator[None]:
    """Keep the processors from sleeping inside the block, with an idle-priority process on each.

    A processor that slept starts with cold caches, most of all in a virtual machine: the first 500 µs take twice as
    long for any code. Only Linux has this priority; elsewhere the block does nothing.
    """
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "SCHED_IDLE") else []
    with ExitStack() as stack:
        for processor in processors:
            spinning = subprocess.Popen([sys.executable, "-c", SPIN, str(processor), str(os.getpid())])
            stack.callback(spinning.wait)
            stack.callback(spinning.kill)
        yield


def create_certificate(folder: Path) -> list[str]:
    """Create a certificate for 127.0.0.1 with the openssl command; return its path and that of its key."""
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command = ["openssl", *options.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return [certificate, key]


def run_child(script: str, *arguments: object, environ: Mapping[str, str] | None = None) -> Any:
    """Run *script* in a new process and return the JSON that it prints.

    Raises:
        RuntimeError: The script failed; the message has the last line of its output.
        subprocess.TimeoutExpired: The script did not end in time.
    """
    command = [sys.executable, script, *map(str, arguments)]
    environ = os.environ | dict(environ or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=CHILD_SECONDS)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


# The command line.


def format_table(rows: list[dict[str, Any]]) -> str:
    """Format *rows* as a text table."""
    lines = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: list[str], widths: list[int]) -> str:
    pairs = enumerate(zip(cells, widths, strict=True))
    return "  ".join(cell.rjust(w) if i in NUMBERS else cell.ljust(w) for i, (cell, w) in pairs).rstrip()


def _cells(row: Mapping[str, Any]) -> list[str]:
    ok = {None: "", True: "yes", False: "NO"}[row["ok"]]
    numbers = [_number(row[name]) for name in ("ours", "baseline", "ratio")]
    return [row["what"], row["unit"], numbers[0], row["baseline_name"], numbers[1], numbers[2], row["goal"], ok]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main(measure: Callable[[S], Awaitable[list[Row]]], *, full: S, quick: S, tiny: S) -> list[Row]:
    """Run *measure* in the size that the command line selects, and print its rows."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds")
    parser.add_argument("--tiny", action="store_true", help="smallest size, to check that it works")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    size = tiny if options.tiny else quick if options.quick else full
    rows = asyncio.run(_run_measure(measure, size))
    shown = [row.to_dict() for row in rows]
    if options.json:
        print(json.dumps({"benchmark": Path(sys.argv[0]).stem, "python": platform.python_version(), "rows": shown}))
    else:
        print(format_table(shown))
    return rows


async def _run_measure(measure: Callable[[S], Awaitable[list[Row]]], size: S) -> list[Row]:
    return await measure(size)
