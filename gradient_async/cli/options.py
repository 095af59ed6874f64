"""The options of every command that calls the service, and the session that follows them.

Contract: neither a key nor the credentials of a proxy nor the value of a header is printed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click
from click.shell_completion import CompletionItem

from gradient_async._protocol.http.proxies import Proxy, parse_proxy
from gradient_async.cli.app import PROFILE, PROFILE_NAME
from gradient_async.errors import ConfigurationError

if TYPE_CHECKING:
    from gradient_async import AsyncSession
    from gradient_async.cli.profiles import AppliedProfile

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

SECONDS = click.FloatRange(min=0.01)
_LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_META = __name__


@attrs.define
class Network:
    """How a command reaches the service.

    Attributes:
        headers: Headers of every request.
        proxy: Address of the proxy; None for the environment's.
        timeout: Seconds for each request, None for the library's limit.
    """

    headers: dict[str, str] = attrs.field(factory=dict, repr=False)
    proxy: str | None = attrs.field(default=None, repr=False)
    timeout: float | None = None

    def set_header(self, name: str, value: str) -> None:
        """Set a header, in the place of one that differs in case only."""
        self.headers = {each: text for each, text in self.headers.items() if each.lower() != name.lower()}
        self.headers[name] = value


def find_network() -> Network:
    """Return how the running command reaches the service; its options fill it in."""
    network: Network = click.get_current_context().meta.setdefault(_META, Network())
    return network


def open_session(base_url: str | None = None, **options: Any) -> AsyncSession:
    """Return a session that follows the options of the running command; *options* are further arguments of it."""
    from gradient_async import AsyncSession, Timeouts  # commands without a session do not load it
    from gradient_async.cli.wait_notes import WaitNotes

    network = find_network()
    return AsyncSession(
        base_url=base_url,
        headers=network.headers,
        proxy=network.proxy,
        trust_env=True,
        timeouts=Timeouts() if network.timeout is None else Timeouts(total=network.timeout),
        **{"hooks": [WaitNotes()], **options},
    )


def _keep_headers(_ctx: click.Context, _option: click.Parameter, values: Iterable[str]) -> None:
    for value in values:
        name, colon, text = value.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter("give a name and a value, as 'X-Team: search'.")
        find_network().set_header(name.strip(), text.strip())


def _keep_proxy(_ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        parse_proxy(value, "the value")
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None
    find_network().proxy = value


def _keep_timeout(_ctx: click.Context, _option: click.Parameter, value: float | None) -> None:
    if value is not None:
        find_network().timeout = value


def _use_profile(ctx: click.Context, _option: click.Parameter, name: str | None) -> None:
    """Apply the profile that the command or the program names, else the default one."""
    if ctx.resilient_parsing:
        return
    from gradient_async.cli.profiles import apply_profile, find_profile  # help does not load it

    name = name or ctx.meta.get(PROFILE_NAME)
    profile = find_profile(name, os.environ)
    if profile is None:
        return
    ctx.meta[PROFILE] = apply_profile(profile, ctx, explain=name is not None)
    network = find_network()
    network.timeout = profile.timeout
    for header, value in profile.headers.items():
        network.set_header(header, value)


def find_applied_profile() -> AppliedProfile | None:
    """Return the profile of the running command, None without one."""
    applied: AppliedProfile | None = click.get_current_context().meta.get(PROFILE)
    return applied


def _complete_profile(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from gradient_async.cli.profiles import complete_profile

    return [CompletionItem(name) for name in complete_profile(ctx, option, incomplete)]


def _log_to_stderr(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if not value:
        return
    logger, handler = logging.getLogger("gradient_async"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LOG_FORMAT, "%H:%M:%S"))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)

    def stop_logging() -> None:
        logger.removeHandler(handler)
        logger.setLevel(level)

    ctx.call_on_close(stop_logging)


def choice_option(name: str, *values: str, description: str) -> Callable[[F], F]:
    """Return an option that takes one of *values*, by default the first; its help shows which."""
    return click.option(name, type=click.Choice(values), default=values[0], show_default=True, help=description)


def _applied_option(name: str, apply: Callable[..., None], description: str, **settings: Any) -> Decorator:
    """Return an option that *apply* receives in place of the command."""
    return click.option(name, callback=apply, expose_value=False, help=description, **settings)


header_option = _applied_option(
    "--header", _keep_headers, "Header of every request; repeatable.", multiple=True, metavar="NAME:VALUE"
)
proxy_option = _applied_option(
    "--proxy",
    _keep_proxy,
    "HTTP proxy, as http://user:password@host:3128; default: HTTPS_PROXY, unless NO_PROXY names the host.",
    metavar="URL",
)
timeout_option = _applied_option(
    "--timeout", _keep_timeout, "Seconds for each request, waits included; default: 600.", type=SECONDS
)
verbose_option = _applied_option("--verbose", _log_to_stderr, "Print each attempt on stderr.", is_flag=True)
profile_option = _applied_option(
    "--profile",
    _use_profile,
    "Profile of the configuration file. Default: GRADIENT_PROFILE, else 'default' if it exists.",
    metavar="NAME",
    is_eager=True,
    shell_complete=_complete_profile,
)
network_options: tuple[Decorator, ...] = (profile_option, header_option, proxy_option, timeout_option, verbose_option)


def build_service_options(
    base_url_help: str = "Address of the service.", *, network: Iterable[Decorator] = network_options
) -> Decorator:
    """Return a decorator that adds the options of a command that calls the service."""
    return combine_options(click.option("--base-url", metavar="URL", help=base_url_help), *network)


def combine_options(*options: Decorator) -> Decorator:
    """Return a decorator that adds *options*, in this order."""

    def add_options(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add_options


service_options = build_service_options()
"""Adds ``--base-url``, ``--profile``, ``--header``, ``--proxy``, ``--timeout`` and ``--verbose``."""
job_options = build_service_options(network=[each for each in network_options if each is not timeout_option])
"""The same for commands whose ``--timeout`` limits the wait for a job."""


def find_proxy() -> Proxy | None:
    """Return the proxy that the running command names, None if it names none."""
    proxy = find_network().proxy
    return None if proxy is None else parse_proxy(proxy)
