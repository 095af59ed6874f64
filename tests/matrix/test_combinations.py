"""The matrix: which combinations an installation has, and what its summary says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.matrix.combinations import (
    ROOT,
    Combination,
    Interpreter,
    Outcome,
    build_combinations,
    choose_interpreters,
    format_summary,
    read_report,
    select_combinations,
)

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="test_one"/>
<testcase classname="tests.a" name="test_two"><failure message="x">y</failure></testcase>
<testcase classname="tests.a" name="test_two"><error message="at teardown">y</error></testcase>
<testcase classname="tests.b" name="test_three"><skipped message="no server"/></testcase>
</testsuite></testsuites>"""


def interpreter(minor: int, *, free_threaded: bool = False, path: str = "python") -> Interpreter:
    return Interpreter((3, minor), free_threaded, f"3.{minor}.0", path)


def name_all(combinations: list[Combination]) -> list[str]:
    return [each.name for each in combinations]


def test_one_interpreter_of_each_supported_version_is_chosen() -> None:
    found = [interpreter(13), interpreter(14, free_threaded=True), interpreter(10), interpreter(11, path="first")]
    found += [interpreter(11, path="second"), interpreter(14), interpreter(16)]
    chosen = choose_interpreters(found)
    assert [each.name for each in chosen] == ["3.11", "3.13", "3.14", "3.14t"]
    assert chosen[0].path == "first"


@pytest.mark.parametrize(
    ("minors", "names"),
    [
        ([11, 13], ["3.11", "3.13", "3.11-lowest", "3.13-pre", "3.13-uvloop", "3.13-eager"]),
        ([11], ["3.11", "3.11-lowest", "3.11-pre", "3.11-uvloop"]),
        ([], []),
    ],
)
def test_lowest_versions_run_on_the_oldest_interpreter_the_rest_on_the_newest(
    minors: list[int], names: list[str]
) -> None:
    assert name_all(build_combinations([interpreter(minor) for minor in minors])) == names


def test_a_free_threaded_interpreter_has_no_variants() -> None:
    free = interpreter(14, free_threaded=True)
    assert name_all(build_combinations([free])) == ["3.14t"]
    assert "3.11-uvloop" in name_all(build_combinations([interpreter(11), free]))


@pytest.mark.parametrize(
    ("patterns", "names"),
    [([], ["3.11", "3.11-lowest", "3.11-pre", "3.11-uvloop"]), (["*-lowest", "3.9"], ["3.11-lowest"]), (["3.9"], [])],
)
def test_names_select_combinations(patterns: list[str], names: list[str]) -> None:
    assert name_all(select_combinations(build_combinations([interpreter(11)]), patterns)) == names


def test_a_test_that_fails_twice_counts_once() -> None:
    assert read_report(REPORT) == (1, 1, 1, ("tests.a::test_two",))


def test_the_summary_has_a_row_for_each_combination_and_the_sums() -> None:
    outcomes = [
        Outcome("3.11", "3.11.7", "3.14.5", passed=5, skipped=1, seconds=9.6),
        Outcome("3.13", "3.13.0", "3.14.5", passed=4, failed=1, failures=("tests.a::test_two",)),
        Outcome("3.13-pre", "3.13.0", problem="the environment cannot be made"),
    ]
    header, first, _, third, failure, sums = format_summary(outcomes)
    assert header.split() == ["combination", "python", "aiohttp", "passed", "failed", "skipped", "seconds"]
    assert first.split() == ["3.11", "3.11.7", "3.14.5", "5", "0", "1", "10"]
    assert third.endswith("the environment cannot be made")
    assert failure == "3.13: tests.a::test_two"
    assert sums == "9 passed, 1 failed, 1 skipped"
    assert [each.is_green for each in outcomes] == [True, False, False]


def test_the_command_lists_the_interpreter_that_runs_it() -> None:
    command = [sys.executable, "-m", "tests.matrix", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ".".join(map(str, sys.version_info[:2])) in done.stdout.split()
