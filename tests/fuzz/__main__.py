"""``make fuzz``: run the property tests of the suite with many more examples.

    python -m tests.fuzz [--examples N] [--minutes M] [TARGET ...]

Without ``--minutes`` each target runs once, with N examples a test (default: 2,000, forty times those of the suite).
With it, the targets take turns with new random examples until the time is up. A failure is printed with the example,
which Hypothesis keeps in ``.hypothesis`` and tries first from then on, also in the suite. The exit status is then 1.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import TARGETS, count_examples, list_failures

ROOT = Path(__file__).parents[2]
MINUTES_EXAMPLES = 500
"""Examples of a test in one turn, if a time is given."""


@dataclass
class Figures:
    """Sums of one target."""

    tests: int = 0
    examples: int = 0
    seconds: float = 0.0
    failures: set[str] = field(default_factory=set)


def run_target(name: str, examples: int, figures: Figures) -> None:
    """Run the property tests of the target *name* once, and add to its *figures*; print what fails."""
    paths = [f"tests/protocol/{path}" for path in TARGETS[name]]
    options = ["-q", "-m", "hypothesis", "-p", "no:xdist", "--tb=short", "--hypothesis-show-statistics"]
    environment = os.environ | {"HYPOTHESIS_PROFILE": "fuzz", "FUZZ_EXAMPLES": str(examples)}
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *options, *paths]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    figures.seconds += time.monotonic() - began
    tests, tried = count_examples(done.stdout)
    figures.tests, figures.examples = max(figures.tests, tests), figures.examples + tried
    if done.returncode or not tests:
        figures.failures.update(list_failures(done.stdout) or [f"{name}: pytest's exit status is {done.returncode}"])
        print(done.stdout.partition("Hypothesis Statistics")[0][-6000:], done.stderr[-2000:], flush=True)


def choose_turns(names: Sequence[str], minutes: float | None) -> Iterator[str]:
    """Yield *names* once, or again and again until *minutes* are over."""
    end = None if minutes is None else time.monotonic() + 60 * minutes
    return iter(names) if end is None else itertools.takewhile(lambda _: time.monotonic() < end, itertools.cycle(names))


def print_summary(found: dict[str, Figures]) -> None:
    """Print a row for each target, and the sums."""
    print(f"{'target':<12} {'tests':>6} {'examples':>10} {'failed':>7} {'seconds':>8}")
    for name, each in found.items():
        print(f"{name:<12} {each.tests:>6} {each.examples:>10,} {len(each.failures):>7} {each.seconds:>8.0f}")
    every = found.values()
    print(
        f"{'all':<12} {sum(each.tests for each in every):>6} {sum(each.examples for each in every):>10,} "
        f"{sum(len(each.failures) for each in every):>7} {sum(each.seconds for each in every):>8.0f}"
    )


def main() -> int:
    """Run the targets that the command line names, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"only these of {', '.join(TARGETS)}")
    parser.add_argument("--examples", type=int, metavar="N", help="examples of each test, in each turn")
    parser.add_argument("--minutes", type=float, metavar="M", help="take turns for so long")
    options = parser.parse_args()
    if unknown := set(options.targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    examples = options.examples or (2000 if options.minutes is None else MINUTES_EXAMPLES)
    found: dict[str, Figures] = {}
    for name in choose_turns(options.targets or list(TARGETS), options.minutes):
        print(f"{name} ...", file=sys.stderr, flush=True)
        run_target(name, examples, found.setdefault(name, Figures()))
    print_summary(found)
    return int(any(each.failures for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
