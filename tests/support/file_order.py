"""The order of test files among the workers of pytest-xdist: those that take longest first.

A worker takes whole files, as their fixtures are shared. pytest-xdist hands out the files with most tests first; the
slowest have few, and would begin when the other workers have nothing left to do.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
SLOW_FILES = (
    "test_benchmarks.py",
    "test_docs.py",
    "typing/test_type_checkers.py",
    "limits/redis/test_lost_data.py",
    "limits/redis/test_topologies.py",
    "limits/redis/test_processes.py",
    "batches/test_s3_servers.py",
    "io/http/test_broken_bodies.py",
    "io/rate_limit/test_limiter.py",
    "testing/batch/test_driver.py",
)
"""Files of at least five seconds, the slowest first."""


def sort_files(items: list[pytest.Item]) -> None:
    """Sort *items* so that slow files come first, and then files with many tests; the order in a file stays."""
    ranks = {path: _rank_file(path, size) for path, size in Counter(item.path for item in items).items()}
    items.sort(key=lambda item: ranks[item.path])


def _rank_file(path: Path, size: int) -> tuple[int, int]:
    name = path.relative_to(TESTS).as_posix()
    return (SLOW_FILES.index(name), 0) if name in SLOW_FILES else (len(SLOW_FILES), -size)
