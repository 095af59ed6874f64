"""Runs the checks on the live service after asking, and prints their table.

Contract: the table holds neither the key nor the prompts; see `findings`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import attrs
import click

from gradient_async._io.http.proxies import ProxyFinder
from gradient_async.cli.options import find_applied_profile, find_proxy
from gradient_async.cli.probe.checks import run_checks
from gradient_async.cli.probe.exchange import open_client
from gradient_async.cli.probe.findings import Finding, clean_cell, format_table
from gradient_async.cli.settings import DEFAULT_MODEL, look_up_inference_endpoint, look_up_inference_key
from gradient_async.cli.terminal import remove_controls

REQUESTS = 18


@attrs.frozen(kw_only=True)
class ProbeOptions:
    """The choices of one probe.

    Attributes:
        model: Model of the requests.
        timeout: Seconds for each request.
        idle: Seconds to leave a connection alone.
        as_json: Whether to print the findings as one line of JSON.
        confirmed: Whether to begin without asking.
    """

    model: str | None
    timeout: float
    idle: float
    as_json: bool
    confirmed: bool


def probe_service(options: ProbeOptions) -> None:
    """Run the checks and print their findings.

    Raises:
        click.UsageError: There is no key, or it or the address cannot be used.
        click.Abort: The person does not agree.
    """
    key, endpoint = look_up_inference_key(os.environ), look_up_inference_endpoint(os.environ)
    if problem := key.problem or endpoint.problem:
        raise click.UsageError(problem)
    if key.value is None or endpoint.value is None:
        raise click.UsageError(f"--probe needs a key: set one of {', '.join(key.tried)}.")
    model, applied = options.model or DEFAULT_MODEL, find_applied_profile()
    source = key.used if applied is None else applied.list_sources().get(key.used or "", key.used)
    if not options.confirmed:
        question = (
            f"This sends about {REQUESTS} requests to {endpoint.value} with the key from {source}. A few of them "
            f"generate up to 64 tokens each with {model}, which costs a few cents at most. Begin?"
        )
        click.confirm(remove_controls(question, sys.stderr), abort=True, err=True)
    findings = asyncio.run(_collect_findings(endpoint.value, key.value, model, options))
    if options.as_json:
        cells = {finding.check: clean_cell(finding.result, [key.value]) for finding in findings}
        click.echo(json.dumps({"model": model, "findings": cells}))
    else:
        click.echo(format_table(findings, [key.value]))


async def _collect_findings(base_url: str, key: str, model: str, options: ProbeOptions) -> list[Finding]:
    proxy = await ProxyFinder(find_proxy(), trust_env=True).find(base_url)
    findings = [Finding("model", model)]
    async with open_client(base_url, key, options.timeout, proxy, options.idle) as client:
        async for finding in run_checks(client, model, options.idle):
            findings.append(finding)
            click.echo(f"{len(findings)}: {finding.check}", err=True)
    return findings
