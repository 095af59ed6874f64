"""What the benchmarks share: the server, alternating rounds, rows with goals, and the command line.

A script has a `measure` coroutine and three sizes, and calls `main`. A row compares us with one baseline; its goal
is either a ratio to that baseline or a number of its own.
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
    """What is aimed at: *most* times the baseline, or with a unit, *most* of that unit."""

    most: float
    unit: str | None = None

    def is_met(self, ours: float, ratio: float | None) -> bool | None:
        """Whether it is met; None if that cannot be said."""
        value = ours if self.unit is not None else ratio
        return None if value is None else value <= self.most

    def __str__(self) -> str:
        if self.unit is not None:
            return f"<= {self.most:g} {self.unit}".rstrip()
        return f"<= {self.most:g} x" if self.most >= 1 else f"<= 1/{1 / self.most:g}"


class Median(float):
    """The median of the values of some rounds, which it keeps."""

    rounds: tuple[float, ...]

    def __new__(cls, rounds: Iterable[float]) -> Self:
        """Take the values in the order of their rounds."""
        values = tuple(rounds)
        median = super().__new__(cls, statistics.median(values))
        median.rounds = values
        return median


@attrs.frozen
class Row:
    """A comparison with one baseline, or without one a number of ours."""

    what: str
    unit: str
    ours: float
    baseline_name: str = ""
    baseline: float | None = None
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the baseline ours is: where both have rounds, the median of the ratios of each round.

        What runs within seconds finds the same machine; a machine that slows down in between shifts both alike.
        """
        ours, baseline = self.ours, self.baseline
        if not baseline:
            return None
        if isinstance(ours, Median) and isinstance(baseline, Median) and all(baseline.rounds):
            return statistics.median(map(operator.truediv, ours.rounds, baseline.rounds))
        return ours / baseline

    def to_dict(self) -> dict[str, Any]:
        """Return the row for JSON."""
        ok = None if self.goal is None else self.goal.is_met(self.ours, self.ratio)
        own = attrs.asdict(self, recurse=False)
        return own | {"ratio": self.ratio, "goal": "" if self.goal is None else str(self.goal), "ok": ok}


def rows_against(
    what: str, unit: str, results: Mapping[str, float], goals: Mapping[str, Goal] | None = None
) -> list[Row]:
    """Return a row for each baseline in *results*, whose first entry is ours.

    Args:
        what: What was measured.
        unit: Its unit.
        results: The median of each contender.
        goals: The goals by the name of the baseline; ``""`` is a goal that needs none.
    """
    wanted = dict(goals or {})
    (_, ours), *baselines = results.items()
    rows = [Row(what, unit, ours, goal=wanted.pop(""))] if "" in wanted else []
    rows += [Row(what, unit, ours, name, value, wanted.get(name)) for name, value in baselines]
    return rows or [Row(what, unit, ours)]


# Rounds.


async def medians(contenders: Mapping[str, Callable[[], Awaitable[float]]], rounds: int) -> dict[str, Median]:
    """Return the median of each contender; one that fails is left out, saying why.

    They take turns, in an order that is drawn anew: who follows whom finds other things in the caches.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    failed: set[str] = set()
    gc.collect()
    gc.freeze()  # or whatever else was imported would be searched in everybody's rounds
    draw = random.Random(0)
    for _ in range(rounds):
        for name, contender in draw.sample(list(contenders.items()), len(contenders)):
            if name in failed:
                continue
            try:
                found[name].append(await contender())
            except Exception as error:  # noqa: BLE001 - a baseline that fails must not end the run
                failed.add(name)
                note(f"{name} failed and is left out: {error!r}"[:300])
    if failed and next(iter(contenders)) in failed:
        raise RuntimeError("our own client failed, see above")
    return {name: Median(values) for name, values in found.items() if name not in failed}


class CPU:
    """Measures the CPU time of this process inside a ``with`` block."""

    def __enter__(self) -> Self:
        gc.collect()
        self._began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._began


def note(text: str) -> None:
    """Tell *text* beside the results."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def memory() -> float:
    """Return the resident memory of this process in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024


def raise_file_limit() -> None:
    """Allow as many open files as the system lets a process ask for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# Processes.


class Server:
    """A running `server.py`."""

    def __init__(self, ports: Mapping[str, int], certificate: str | None) -> None:
        self._ports, self.certificate = ports, certificate
        self._control = http.client.HTTPConnection("127.0.0.1", ports["port"])

    def url(self, behaviour: str, *, tls: bool = False) -> str:
        """Return the base address of *behaviour*, as ``burst/100``."""
        port = self._ports["tls_port" if tls else "port"]
        return f"{'https' if tls else 'http'}://127.0.0.1:{port}/{behaviour}"

    def stats(self) -> dict[str, float]:
        """Return what the server has counted."""
        self._control.request("GET", "/stats")
        return json.loads(self._control.getresponse().read())


@contextmanager
def server(*, tls: bool = False) -> Iterator[Server]:
    """Run `server.py`; with *tls* under a certificate made for this run."""
    raise_file_limit()  # which the server inherits
    with tempfile.TemporaryDirectory() as folder:
        certificate = made_certificate(Path(folder)) if tls else []
        command = [sys.executable, str(HERE / "server.py"), *(["--tls", *certificate] if certificate else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield Server(json.loads(process.stdout.readline()), certificate[0] if certificate else None)
            finally:
                process.stdin.close()


@contextmanager
def awake() -> Iterator[None]:
    """Keep the processors from dozing off inside: on each runs a process that makes way for any other.

    A processor that dozed begins with cold caches, in a virtual machine most of all: the first 500 µs then take twice
    as long as they would, whosever code it is. Only Linux has processes of that kind; elsewhere nothing is done.
    """
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "SCHED_IDLE") else []
    with ExitStack() as stack:
        for processor in processors:
            spinning = subprocess.Popen([sys.executable, "-c", SPIN, str(processor), str(os.getpid())])
            stack.callback(spinning.wait)
            stack.callback(spinning.kill)
        yield


def made_certificate(folder: Path) -> list[str]:
    """Return the paths of a certificate for 127.0.0.1 and its key, made with the openssl command."""
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command = ["openssl", *options.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return [certificate, key]


def child(script: str, *arguments: object, environ: Mapping[str, str] | None = None) -> Any:
    """Return the JSON that *script* prints in a process of its own.

    Raises:
        RuntimeError: It failed; the message has its last line.
        subprocess.TimeoutExpired: It hung.
    """
    command = [sys.executable, script, *map(str, arguments)]
    environ = os.environ | dict(environ or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=CHILD_SECONDS)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


# The command line.


def table(rows: list[dict[str, Any]]) -> str:
    """Return *rows* as a table of text."""
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
    """Read the command line, measure, and show the rows."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds")
    parser.add_argument("--tiny", action="store_true", help="just show that it works")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    size = tiny if options.tiny else quick if options.quick else full
    rows = asyncio.run(_measured(measure, size))
    shown = [row.to_dict() for row in rows]
    if options.json:
        print(json.dumps({"benchmark": Path(sys.argv[0]).stem, "python": platform.python_version(), "rows": shown}))
    else:
        print(table(shown))
    return rows


async def _measured(measure: Callable[[S], Awaitable[list[Row]]], size: S) -> list[Row]:
    return await measure(size)
