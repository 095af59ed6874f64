"""Run every benchmark, and show all rows in one table.

Scripts run one after the other, each in a new process. A script reports rows, or tables by title as `limiter.py` does.
A script that fails does not stop the others; the exit status is then 1. A missed goal is shown but is not a failure,
because numbers depend on the machine.

    python benchmarks/run.py [--quick] [--json FILE] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from harness import HERE, Goal, Row, compare_rows, format_table

SCRIPT_SECONDS = 300
BASELINE = " (baseline)"
OUR_NAMES = ("RateLimiter", "RedisLimiter", "RollingTokenBucket")
GROUP_GOALS = {
    ("uncontended acquire",): Goal(2, "us"),
    ("without the garbage collector",): Goal(10, "us"),
    ("guard=0",): None,
    ("saturated hours", "refused"): Goal(0, ""),
    ("saturated hours", "unused"): Goal(0.01, ""),
    ("over Redis", "one caller"): Goal(1.5),
    ("over Redis", "64 callers"): Goal(0.3),
    ("saturated processes", "refused"): Goal(0, ""),
    ("saturated processes", "unused"): Goal(0.01, ""),
    ("saturated processes", "most to least"): Goal(2, ""),
}
"""Goals by words of the measurement: without a unit for each baseline."""


@attrs.frozen
class Script:
    """A benchmark and the common options that it supports."""

    name: str
    options: tuple[str, ...] = ("--quick", "--tiny")
    least: tuple[str, ...] = ()
    """Options used for ``--quick`` if the script does not support it."""


SCRIPTS = (
    Script("stream_chunks"),
    Script("event_streams"),
    Script("paced_streams"),
    Script("completions"),
    Script("first_token"),
    Script("calls"),
    Script("memory"),
    Script("connections"),
    Script("assembly"),
    Script("import_time"),
    Script("soak"),
    Script("disconnect"),
    Script("limiter", options=(), least=("--rounds", "1")),
    Script("batch"),
    Script("map"),
    Script("adapters"),
    Script("gateway"),
)


def build_command(script: Script, size: str | None) -> list[str]:
    """Return the command that prints the results of *script* as JSON."""
    options = [size] if size in script.options else script.least if size else []
    return [sys.executable, str(HERE / f"{script.name}.py"), *options, "--json"]


def parse_rows(script: Script, output: str) -> list[dict[str, Any]]:
    """Parse the rows from the *output* of a script."""
    results = json.loads(output[output.index("{") :])
    rows = results["rows"] if "rows" in results else [row.to_dict() for row in _parse_groups(results)]
    return [{"benchmark": script.name} | row for row in rows]


def _parse_groups(groups: dict[str, dict[str, Any]]) -> Iterator[Row]:
    """Yield the rows of tables by title: each entry of this library against each baseline."""
    for title, entries in groups.items():
        what, _, unit = title.rpartition(", ") if title.endswith(", us") else (title, "", "")
        ours = {name: value for name, value in entries.items() if name.startswith(OUR_NAMES)}
        theirs = {name.removesuffix(BASELINE): value for name, value in entries.items() if name not in ours}
        for name, value in ours.items():
            yield from _parse_entry(f"{what}, {name}", unit, value, theirs)


def _parse_entry(what: str, unit: str, ours: Any, theirs: dict[str, Any]) -> Iterator[Row]:
    if isinstance(ours, dict):
        for part, number in ours.items():
            yield from _parse_entry(
                f"{what}, {part}", part, number, {name: each[part] for name, each in theirs.items()}
            )
        return
    goal = next((goal for words, goal in GROUP_GOALS.items() if all(word in what for word in words)), None)
    names = () if goal is None else theirs if goal.unit is None else ("",)
    yield from compare_rows(what, unit, {"ours": ours} | theirs, {name: goal for name in names if goal is not None})


def run_script(script: Script, size: str | None) -> list[dict[str, Any]]:
    """Run *script* and return its rows; print its notes to stderr.

    Raises:
        RuntimeError: The script failed, timed out or does not exist.
    """
    if not (HERE / f"{script.name}.py").exists():
        raise RuntimeError("the script does not exist")
    try:
        done = subprocess.run(
            build_command(script, size), capture_output=True, text=True, check=False, timeout=SCRIPT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"timed out after {SCRIPT_SECONDS} s") from None
    for line in done.stderr.splitlines():
        if line.startswith("note:"):
            print(f"  {line}", file=sys.stderr)
    try:
        return parse_rows(script, done.stdout)
    except ValueError:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1]) from None


def run_all(scripts: list[Script], size: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of *scripts*, and the names of the scripts that failed."""
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for script in scripts:
        began = time.monotonic()
        try:
            rows += run_script(script, size)
        except RuntimeError as error:
            failed.append(script.name)
            print(f"  {script.name} failed: {error}", file=sys.stderr)
        print(f"{script.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows, failed


def describe_machine() -> dict[str, Any]:
    """Return the Python version, system, number of CPUs and load."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def main() -> int:
    """Run the scripts that the command line names, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these, e.g. 'soak'")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds")
    parser.add_argument("--tiny", action="store_true", help="smallest size, to check that everything works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    options = parser.parse_args()
    if unknown := set(options.names) - {script.name for script in SCRIPTS}:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    scripts = [script for script in SCRIPTS if not options.names or script.name in options.names]
    about = describe_machine()
    rows, failed = run_all(scripts, "--tiny" if options.tiny else "--quick" if options.quick else None)
    print(format_table(rows))
    goals = [row["ok"] for row in rows if row["ok"] is not None]
    print(
        f"\n{sum(goals)} of {len(goals)} goals are met; python {about['python']}, {about['cpus']} CPUs, "
        f"load {about['load']:.1f} at the start."
    )
    if options.json:
        options.json.write_text(json.dumps({**about, "failed": failed, "rows": rows}, indent=1) + "\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
