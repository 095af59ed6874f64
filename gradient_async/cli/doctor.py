"""``gradient-async doctor``: is everything in place?

Contract: shows names of environment variables, never their values; sends no key anywhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import aiohttp
import attrs
import click

from gradient_async.cli.exit_codes import Exit
from gradient_async.cli.settings import Lookup, lookups

PACKAGES = ("gradient-async", "aiohttp", "anyio", "attrs", "cattrs", "msgspec", "click", "rich", "redis")
PATHS = {"inference address": "/v1/models", "agent address": "/health"}


@attrs.frozen(kw_only=True)
class Probe:
    """How a host answered a GET without a key.

    Attributes:
        host: Scheme, host and port.
        status: The HTTP status, None if no answer came.
        seconds: How long it took, name resolution, TCP and TLS included.
        problem: Why it cannot be used, None if it can.
    """

    host: str
    status: int | None = None
    seconds: float | None = None
    problem: str | None = None


@attrs.frozen(kw_only=True)
class Report:
    """Everything that was looked at."""

    python: str
    system: str
    packages: dict[str, str | None]
    settings: tuple[Lookup, ...]
    hosts: tuple[Probe, ...]

    @property
    def problems(self) -> list[str]:
        """What must be mended before anything works."""
        wrong = [lookup.problem for lookup in self.settings] + [probe.problem for probe in self.hosts]
        return [*filter(None, wrong), *_missing({lookup.name: lookup for lookup in self.settings})]

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON, without any value of a setting."""
        shown = attrs.asdict(self, filter=lambda field, _: field.name != "value")
        for entry, lookup in zip(shown["settings"], self.settings, strict=True):
            entry["used"] = lookup.used
        return {"ok": not self.problems, **shown, "problems": self.problems}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one line of JSON.")
@click.option("--timeout", type=click.FloatRange(min=0.01), default=10.0, show_default=True, help="Seconds.")
def command(*, as_json: bool, timeout: float) -> None:
    """Check the configuration, the hosts and the installation.

    Names the environment variables that are set and the hosts of their addresses, and never shows a key. Exits with 1
    if something is wrong.
    """
    report = asyncio.run(_examine(timeout))
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    else:
        click.echo("\n".join(_lines(report)))
    sys.exit(Exit.API_ERROR if report.problems else Exit.OK)


async def _examine(timeout: float) -> Report:
    settings = tuple(lookups(os.environ))
    addresses = [(lookup.value, PATHS[lookup.name]) for lookup in settings if lookup.name in PATHS]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as http:
        hosts = await asyncio.gather(*(_probe(http, url, path) for url, path in addresses if url))
    return Report(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in PACKAGES},
        settings=settings,
        hosts=tuple(hosts),
    )


async def _probe(http: aiohttp.ClientSession, url: str, path: str) -> Probe:
    loop = asyncio.get_running_loop()
    began, host = loop.time(), _origin(url)
    try:
        async with http.get(url + path, allow_redirects=False) as response:
            status = response.status
    except TimeoutError:
        return Probe(host=host, problem=f"{host} did not answer in time.")
    except (aiohttp.ClientError, OSError) as error:
        return Probe(host=host, problem=f"{host} cannot be reached: {_reason(error)}.")
    problem = f"{host} answers with status {status}." if status >= 500 else None
    return Probe(host=host, status=status, seconds=round(loop.time() - began, 3), problem=problem)


def _reason(error: Exception) -> str:
    """Return why; the text of other errors than these could hold the path of an address."""
    return str(error) if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _missing(settings: dict[str, Lookup]) -> Iterator[str]:
    if not settings["inference key"].found:
        yield f"No inference key: set one of {', '.join(settings['inference key'].tried)}."
    for one, other in (("agent key", "agent address"), ("agent address", "agent key")):
        if settings[one].found and not settings[other].found:
            yield f"There is an {one} and no {other}: set one of {', '.join(settings[other].tried)}."


def _lines(report: Report) -> Iterator[str]:
    yield f"Python {report.python} on {report.system}"
    yield "  ".join(f"{name} {installed or '(not installed)'}" for name, installed in report.packages.items())
    yield from ("", "Environment")
    for lookup in report.settings:
        yield f"  {lookup.name:<18} {_origin_of(lookup)}"
    yield from ("", "Hosts")
    for probe in report.hosts:
        yield f"  {probe.host:<40} {_answer_of(probe)}"
    yield from _verdict(report.problems)


def _origin_of(lookup: Lookup) -> str:
    if lookup.used is None:
        return "the default" if lookup.value else f"not set ({', '.join(lookup.tried)})"
    rest = f"; not used: {', '.join(lookup.found[1:])}" if lookup.found[1:] else ""
    return f"{lookup.used}{rest}"


def _answer_of(probe: Probe) -> str:
    if probe.status is None:
        return "no answer"
    return f"answers: {probe.status} without a key, after {probe.seconds:.3f} s"


def _verdict(problems: Sequence[str]) -> Iterator[str]:
    yield ""
    if not problems:
        yield "Everything is in place."
    for problem in problems:
        yield f"Problem: {problem}"
