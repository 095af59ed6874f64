"""The report on a job's results, for the terminal and as JSON."""

from __future__ import annotations

from typing import Any

import attrs

from gradient_async import BatchReport
from gradient_async.cli.batch.progress_view import print_note

_MAX_SHOWN = 10


def summarize_report(report: BatchReport) -> dict[str, Any]:
    """Return the numbers of *report*, and the ids of the requests without a response."""
    return {
        "ok": report.ok,
        "succeeded": len(report.succeeded),
        "failed": list(report.failed),
        "missing": list(report.missing),
        "foreign": list(report.foreign),
        "malformed": [{"file": file, "line": line} for file, line in report.malformed],
        "tokens": attrs.asdict(report.tokens) | {"total": report.tokens.total},
        "finish_reasons": dict(report.finish_reasons),
    }


def print_report_faults(report: BatchReport) -> None:
    """Print the requests without a response, and the lines that cannot be read, on stderr."""
    for custom_id in report.failed[:_MAX_SHOWN]:
        print_note(f"failed: {custom_id}: {report.errors[custom_id]}")
    for kind, ids in (("missing", report.missing), ("not of the input", report.foreign)):
        for custom_id in ids[:_MAX_SHOWN]:
            print_note(f"{kind}: {custom_id}")
    for file, line in report.malformed[:_MAX_SHOWN]:
        print_note(f"unreadable: line {line} of the {file} file")
    for problem in report.problems[:_MAX_SHOWN]:
        print_note(f"unreadable: {problem}")
    if not report.ok:
        print_note(str(report))
