"""Combinations of interpreter, versions of packages and event loop, and the summary of their runs."""

from __future__ import annotations

import fnmatch
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-matrix"
VERSIONS = [(3, minor) for minor in range(11, 16)]
SHOWN_FAILURES = 20
LOWEST = ("--resolution", "lowest-direct")
OF_CURRENT_VERSIONS = ("tests/typing", "tests/test_docs.py", "tests/test_benchmarks.py")
"""What type checkers and Sphinx say, and how many calls a request takes, is tested with current versions alone."""
PRERELEASES = ("--prerelease", "allow", "--upgrade")
KNOWN_HTTPX = "httpx<1.0.dev0"
"""The SDKs of others cannot use the pre-releases of httpx 1, which have other names."""


@dataclass(frozen=True, order=True)
class Interpreter:
    """An interpreter of this machine.

    Attributes:
        version: Major and minor version.
        free_threaded: Whether it was built without the global lock.
        full_version: Version as the interpreter prints it.
        path: The executable.
    """

    version: tuple[int, int]
    free_threaded: bool
    full_version: str = field(compare=False)
    path: str = field(compare=False)

    @property
    def name(self) -> str:
        """The name of its executable without ``python``, as ``3.14t``."""
        return ".".join(map(str, self.version)) + "t" * self.free_threaded


@dataclass(frozen=True)
class Combination:
    """An interpreter, versions of packages and a kind of event loop.

    Attributes:
        name: Name of the combination and of its environment.
        interpreter: The interpreter.
        resolution: Options of uv that choose the versions.
        packages: Packages beside those of the extra ``dev``.
        options: Options of pytest.
    """

    name: str
    interpreter: Interpreter
    resolution: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The environment."""
        return FOLDER / self.name


@dataclass(frozen=True)
class Outcome:
    """What became of one combination."""

    name: str
    python: str
    aiohttp: str = ""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problem: str = ""
    failures: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        """Whether tests ran and none failed."""
        return not self.problem and not self.failed and self.passed > 0


def choose_interpreters(found: Iterable[Interpreter]) -> list[Interpreter]:
    """Return one interpreter for each supported version, free-threaded ones apart, the oldest first."""
    first: dict[Interpreter, Interpreter] = {}
    for interpreter in found:
        if interpreter.version in VERSIONS:
            first.setdefault(interpreter, interpreter)
    return sorted(first)


def build_combinations(interpreters: Sequence[Interpreter]) -> list[Combination]:
    """Return every combination for *interpreters*, which are in the order of their versions.

    The lowest versions have wheels for the oldest interpreter, pre-releases for the newest. Eager task factories came
    with CPython 3.12.
    """
    combinations = [Combination(each.name, each) for each in interpreters]
    with_lock = [each for each in interpreters if not each.free_threaded]
    if not with_lock:
        return combinations
    oldest, newest = with_lock[0], with_lock[-1]
    combinations += [
        Combination(
            f"{oldest.name}-lowest", oldest, LOWEST, options=tuple(f"--ignore={path}" for path in OF_CURRENT_VERSIONS)
        ),
        Combination(f"{newest.name}-pre", newest, PRERELEASES, packages=(KNOWN_HTTPX,)),
        Combination(f"{newest.name}-uvloop", newest, packages=("uvloop",), options=("--event-loop=uvloop",)),
    ]
    if newest.version >= (3, 12):
        combinations.append(Combination(f"{newest.name}-eager", newest, options=("--event-loop=eager",)))
    return combinations


def select_combinations(combinations: Iterable[Combination], patterns: Sequence[str]) -> list[Combination]:
    """Return the combinations that one of *patterns* names, all without a pattern."""
    return [each for each in combinations if not patterns or any(fnmatch.fnmatch(each.name, one) for one in patterns)]


def read_report(text: str) -> tuple[int, int, int, tuple[str, ...]]:
    """Return the numbers of passed, failed and skipped tests of a JUnit report, and the names of the failed ones."""
    cases = list(ET.fromstring(text).iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    names = tuple(dict.fromkeys(f"{case.get('classname')}::{case.get('name')}" for case in failed))
    return len(cases) - len(failed) - skipped, len(names), skipped, names


def format_summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the lines of the summary: a row for each combination, the failures, and the sums."""
    yield f"{'combination':<16} {'python':<10} {'aiohttp':<10} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}"
    for each in outcomes:
        numbers = f"{each.passed:>7} {each.failed:>7} {each.skipped:>8} {each.seconds:>8.0f}"
        yield f"{each.name:<16} {each.python:<10} {each.aiohttp:<10} {numbers}  {each.problem}".rstrip()
    for each in outcomes:
        yield from (f"{each.name}: {name}"[:200] for name in each.failures[:SHOWN_FAILURES])
        if more := len(each.failures) - SHOWN_FAILURES:
            yield from [f"{each.name}: and {more} more"] * (more > 0)
    passed, failed, skipped = (
        sum(getattr(each, name) for each in outcomes) for name in ("passed", "failed", "skipped")
    )
    yield f"{passed} passed, {failed} failed, {skipped} skipped"
