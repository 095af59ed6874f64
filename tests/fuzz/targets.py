"""Targets of ``make fuzz``: the property tests of the suite, by what they feed."""

from __future__ import annotations

import re

TARGETS: dict[str, tuple[str, ...]] = {
    "events": ("stream/test_sse.py",),
    "decoders": ("stream/test_chat_decoder.py", "stream/test_event_decoder.py"),
    "templates": (
        "stream/accelerators/test_chunk_template.py",
        "stream/accelerators/test_fast_chat_decoder.py",
        "stream/accelerators/test_fast_event_decoder.py",
    ),
    "assemblers": (
        "stream/test_chat_accumulator.py",
        "stream/test_tool_call_assembler.py",
        "stream/test_image_accumulator.py",
        "stream/test_partial_snapshots.py",
        "stream/test_json_pieces.py",
    ),
    "codec": ("codec",),
    "schema": ("schema",),
    "headers": ("http",),
    "requests": ("requests",),
    "jsonl": (
        "batch/test_line_splitter.py",
        "batch/test_input_validator.py",
        "batch/test_fast_result_decoder.py",
        "batch/test_result_decoder.py",
        "batch/test_content_coding.py",
        "sources",
    ),
    "journals": ("batch/test_journal_records.py",),
    "polling": ("batch/test_poll_schedule.py",),
    "checkpoints": ("map/test_checkpoint_records.py",),
    "limits": ("rate_limit",),
}
"""Files and folders below ``tests/protocol``, by target; pytest takes their property tests by Hypothesis' marker."""

_EXAMPLES = re.compile(
    r"- (\d+) passing(?: examples)?, (\d+) failing(?: examples)?, (?:and )?\d+ invalid (?:examples|test cases)"
)
_TESTS = re.compile(r"^(tests/.+):$", re.MULTILINE)


def count_examples(statistics: str) -> tuple[int, int]:
    """Return the numbers of tests and of valid examples in the output of ``--hypothesis-show-statistics``."""
    examples = sum(int(passing) + int(failing) for passing, failing in _EXAMPLES.findall(statistics))
    return len(set(_TESTS.findall(statistics))), examples


def list_failures(output: str) -> list[str]:
    """Return the names of failed tests in pytest's short summary."""
    return re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
