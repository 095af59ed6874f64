"""The report on a job's results, for the terminal and as JSON."""

from __future__ import annotations

import json
from typing import Any

import attrs
import click

from gradient_async import BatchReport, ValidationReport
from gradient_async.cli.batch.progress_view import print_note
from gradient_async.cli.error_text import name_options
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.models._texts import format_size

_MAX_SHOWN = 10
_BYTES_PER_TOKEN, _WINDOW_HOURS = 4, 24


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


def print_validation(report: ValidationReport, *, as_json: bool) -> ExitCode:
    """Print the faults of an input on stdout, and its size; return the exit code."""
    if as_json:
        click.echo(json.dumps(attrs.asdict(report) | {"ok": report.ok}))
    else:
        for fault in report.faults:
            click.echo(name_options(fault))
        if report.total > len(report.faults):
            print_note(f"... and {report.total - len(report.faults)} more faults")
        for hint in report.hints:
            print_note(name_options(hint))
    size, jobs = format_size(report.size), len(report.parts)
    print_note(f"{report.requests} requests, {size}, {report.total} fault(s), {jobs} job(s)")
    return ExitCode.OK if report.ok else ExitCode.USAGE


def print_dry_run(report: ValidationReport, *, as_json: bool) -> ExitCode:
    """Print the size of a submission, or the faults of the input; return the exit code."""
    if not report.ok:
        return print_validation(report, as_json=as_json)
    numbers = {
        "requests": report.requests,
        "prompt_tokens": report.size // _BYTES_PER_TOKEN,
        "jobs": len(report.parts),
        "hours": _WINDOW_HOURS,
    }
    if as_json:
        click.echo(json.dumps(numbers))
        return ExitCode.OK
    click.echo(f"requests: {numbers['requests']}")
    click.echo(f"tokens of the prompts (estimated): {numbers['prompt_tokens']}")
    click.echo(f"jobs: {numbers['jobs']}")
    click.echo(f"time: up to {_WINDOW_HOURS} h; batches have limits of their own")
    return ExitCode.OK
