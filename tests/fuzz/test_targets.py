"""The targets of ``make fuzz`` name every property test, and its figures are read right."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fuzz.targets import TARGETS, count_examples, list_failures

PROTOCOL = Path(__file__).parents[1] / "protocol"
STATISTICS = """
FAILED tests/protocol/stream/test_sse.py::test_b - assert 1 == 2
============================ Hypothesis Statistics =============================

tests/protocol/stream/test_sse.py::test_a:

  - during generate phase (0.20 seconds):
    - Typical runtimes: < 1ms, of which < 1ms in data generation
    - 90 passing, 0 failing, and 7 invalid test cases
  - Stopped because settings.max_examples=100

tests/protocol/stream/test_sse.py::test_b:

  - during reuse phase (0.00 seconds):
    - 1 passing examples, 0 failing examples, 0 invalid examples
  - during generate phase (0.20 seconds):
    - 8 passing examples, 1 failing examples, 0 invalid examples
"""


def has_property_test(path: Path) -> bool:
    return re.search(r"^@given\(", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_every_property_test_of_the_protocol_belongs_to_one_target() -> None:
    named = [PROTOCOL / path for paths in TARGETS.values() for path in paths]
    files = [file for path in named for file in ([path] if path.suffix else sorted(path.glob("test_*.py")))]
    assert [path for path in named if not path.exists()] == []
    assert len(set(files)) == len(files)
    assert {path for path in PROTOCOL.rglob("test_*.py") if has_property_test(path)} <= set(files)


def test_a_target_has_property_tests() -> None:
    for paths in TARGETS.values():
        files = [PROTOCOL / path for path in paths]
        assert any(has_property_test(file) for path in files for file in ([path] if path.suffix else path.glob("*.py")))


def test_examples_are_counted_over_all_phases() -> None:
    assert count_examples(STATISTICS) == (2, 100)
    assert list_failures(STATISTICS) == ["tests/protocol/stream/test_sse.py::test_b"]
