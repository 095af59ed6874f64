"""``gradient-async doctor``: check the configuration, the hosts and the installation.

Contract: prints names of environment variables, never their values; sends no key anywhere, except with ``--probe``.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

import aiohttp
import attrs
import click

from gradient_async._io.http.aiohttp_internals import describe_fast_path
from gradient_async._io.http.proxies import ProxyFinder
from gradient_async.cli.examples import format_examples
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.options import SECONDS, find_applied_profile, find_proxy, profile_option, proxy_option
from gradient_async.cli.settings import MODEL_VARIABLE, SettingLookup, look_up_settings

PACKAGES = ("gradient-async", "aiohttp", "anyio", "attrs", "cattrs", "msgspec", "click", "rich", "redis")
HOST_SECONDS, PROBE_SECONDS = 10.0, 60.0
PATHS = {"inference address": "/v1/models", "agent address": "/health"}


@attrs.frozen(kw_only=True)
class HostProbe:
    """Result of a GET without a key.

    Attributes:
        host: Scheme, host and port.
        status: HTTP status, None if no response came.
        seconds: Duration, including name resolution, TCP and TLS.
        problem: Reason why the host cannot be used, None if it can.
    """

    host: str
    status: int | None = None
    seconds: float | None = None
    problem: str | None = None


@attrs.frozen(kw_only=True)
class Report:
    """Results of all checks.

    Attributes:
        slow_path: Reason why requests take aiohttp's slower public path, None if they do not; not a problem.
        profile: Name of the profile in use, None without one.
        sources: The fields of that profile, by the variables that they have set.
    """

    python: str
    system: str
    packages: dict[str, str | None]
    slow_path: str | None
    settings: tuple[SettingLookup, ...]
    hosts: tuple[HostProbe, ...]
    profile: str | None = None
    sources: dict[str, str] = attrs.field(factory=dict)

    @property
    def problems(self) -> list[str]:
        """The problems to fix, one sentence each."""
        problems = [lookup.problem for lookup in self.settings] + [probe.problem for probe in self.hosts]
        return [*filter(None, problems), *_find_missing_settings({lookup.name: lookup for lookup in self.settings})]

    def to_dict(self) -> dict[str, object]:
        """Return the report for JSON, without the values of settings."""
        report = attrs.asdict(self, filter=lambda field, _: field.name != "value")
        for entry, lookup in zip(report["settings"], self.settings, strict=True):
            entry["used"] = self.sources.get(lookup.used or "", lookup.used)
        return {"ok": not self.problems, **report, "problems": self.problems}


@click.command("doctor", epilog=format_examples("doctor", "doctor --json", "doctor --probe --yes > probe.md"))
@click.option("--json", "as_json", is_flag=True, help="Print the report as one line of JSON.")
@click.option(
    "--timeout", type=SECONDS, help="Seconds to wait for each host; with --probe, for each request. Default: 10, or 60."
)
@proxy_option
@profile_option
@click.option("--probe", is_flag=True, help="Send requests with the key and show how the live service responds.")
@click.option("-y", "--yes", "confirmed", is_flag=True, help="Begin the probe without asking.")
@click.option("-m", "--model", envvar=MODEL_VARIABLE, help="Model for the probe. Default: that of chat.")
@click.option(
    "--idle", type=SECONDS, default=20.0, show_default=True, help="Seconds to leave a connection alone in the probe."
)
def doctor_command(
    *, as_json: bool, timeout: float | None, probe: bool, confirmed: bool, model: str | None, idle: float
) -> None:
    """Check the configuration, the hosts and the installation.

    Prints the names of the environment variables that are set and the hosts of their addresses, never a key. The exit
    code is 1 if there is a problem.

    With --probe, it asks and then sends requests that cost a few cents at most. It prints a table of what no document
    settles: headers, forms of errors, framing of streams, idle connections, quotas, batches. The table holds neither
    the key nor prompts nor texts of the service, so that it can be pasted into a report.
    """
    if probe:
        from gradient_async.cli.probe.command import ProbeOptions, probe_service  # the other checks do not need it

        choices = {"model": model, "idle": idle, "as_json": as_json, "confirmed": confirmed}
        probe_service(ProbeOptions(timeout=timeout or PROBE_SECONDS, **choices))  # type: ignore[arg-type]  # a mixed dict
        return
    report = asyncio.run(_build_report(timeout or HOST_SECONDS))
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    else:
        click.echo("\n".join(_format_report(report)))
    sys.exit(ExitCode.API_ERROR if report.problems else ExitCode.OK)


async def _build_report(timeout: float) -> Report:
    applied = find_applied_profile()
    settings = tuple(look_up_settings(os.environ))
    if applied is not None:
        settings = tuple(
            attrs.evolve(each, problem=each.problem and applied.name_fields(each.problem)) for each in settings
        )
    addresses = [(lookup.value, PATHS[lookup.name]) for lookup in settings if lookup.name in PATHS]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as http:
        hosts = await asyncio.gather(*(_probe_host(http, url, path) for url, path in addresses if url))
    return Report(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages={name: _installed_version(name) for name in PACKAGES},
        slow_path=describe_fast_path(),
        settings=settings,
        hosts=tuple(hosts),
        profile=None if applied is None else applied.profile.name,
        sources={} if applied is None else applied.list_sources(),
    )


async def _probe_host(http: aiohttp.ClientSession, url: str, path: str) -> HostProbe:
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    started_at, host = loop.time(), f"{parts.scheme}://{parts.netloc}"
    proxy = await ProxyFinder(find_proxy(), trust_env=True).find(url)
    try:
        async with http.get(url + path, allow_redirects=False, proxy=None if proxy is None else proxy.url) as response:
            status = response.status
    except TimeoutError:
        return HostProbe(host=host, problem=f"{host} did not respond in time.")
    except (aiohttp.ClientError, OSError) as error:
        # The text of any other error could contain the path of the address.
        reason = str(error) if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__
        if isinstance(error, aiohttp.ClientHttpProxyError):
            reason = f"the proxy refused ({error.status})"
        return HostProbe(host=host, problem=f"{host} cannot be reached: {reason}.")
    problem = f"{host} responds with status {status}." if status >= 500 else None
    return HostProbe(host=host, status=status, seconds=round(loop.time() - started_at, 3), problem=problem)


def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _find_missing_settings(settings: dict[str, SettingLookup]) -> Iterator[str]:
    if not settings["inference key"].found:
        yield f"No inference key: set one of {', '.join(settings['inference key'].tried)}."
    for one, other in (("agent key", "agent address"), ("agent address", "agent key")):
        if settings[one].found and not settings[other].found:
            yield f"There is an {one} and no {other}: set one of {', '.join(settings[other].tried)}."


def _format_report(report: Report) -> Iterator[str]:
    yield f"Python {report.python} on {report.system}"
    yield "  ".join(f"{name} {installed or '(not installed)'}" for name, installed in report.packages.items())
    yield f"Fast path of requests: {f'not used, {report.slow_path}' if report.slow_path else 'used'}"
    yield from ("", "Environment")
    if report.profile is not None:
        yield f"  {'profile':<18} {report.profile}"
    for lookup in report.settings:
        yield f"  {lookup.name:<18} {_format_origin(lookup, report.sources)}"
    yield from ("", "Hosts")
    for probe in report.hosts:
        response = "no response"
        if probe.status is not None:
            response = f"responds: {probe.status} without a key, after {probe.seconds:.3f} s"
        yield f"  {probe.host:<40} {response}"
    yield ""
    if not report.problems:
        yield "Everything is in place. No key was sent: gradient-async models tries yours."
    for problem in report.problems:
        yield f"Problem: {problem}"


def _format_origin(lookup: SettingLookup, sources: Mapping[str, str]) -> str:
    """Return the variable or field that a setting comes from, and the set variables that it overrides."""
    if lookup.used is None:
        return "the default" if lookup.value else f"not set ({', '.join(lookup.tried)})"
    unused = f"; not used: {', '.join(lookup.found[1:])}" if lookup.found[1:] else ""
    return f"{sources.get(lookup.used, lookup.used)}{unused}"
