"""``gradient-async proxy``: a local gateway that holds the key and the budget for programs in any language."""

from __future__ import annotations

import asyncio
import errno
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import attrs
import click

from gradient_async.cli.examples import format_examples
from gradient_async.cli.options import combine_options, network_options, open_session
from gradient_async.gateway.access import AccessPolicy, is_loopback
from gradient_async.gateway.server import Gateway

if TYPE_CHECKING:
    from gradient_async import AsyncSession

TOKEN_VARIABLE = "GRADIENT_PROXY_TOKEN"  # noqa: S105 - the name of a variable
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_REASONS = {
    errno.EADDRINUSE: "the port is in use",
    errno.EACCES: "the port needs more rights",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


@attrs.frozen(kw_only=True)
class ProxyCommand:
    """The address of the gateway, the service behind it, and its end.

    Attributes:
        host: Name or address to listen on.
        port: Port, 0 for a free one.
        base_url: Address of the service; None for the configured one.
        tokens: Tokens of the callers.
        redis: Address of the Redis with the shared budget; None for a budget of this process.
        redis_key: Name of the shared budget; None for the default.
        drain: Seconds for the requests under way after a signal to stop.
    """

    host: str
    port: int
    base_url: str | None
    tokens: tuple[str, ...] = attrs.field(repr=False)
    redis: str | None = attrs.field(repr=False)
    redis_key: str | None
    drain: float

    async def run(self) -> None:
        """Serve until a signal comes, then let the requests under way end."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(await self._open_session(stack))
            session._get_target()  # raises at once if there is no key
            gateway = await stack.enter_async_context(Gateway(session, AccessPolicy(self.tokens)))
            stop = _listen_for_signals()
            address = await self._start(gateway)
            click.echo(_format_exports(address, needs_token=bool(self.tokens)))
            click.echo(f"Running at {address}/ with a live page; Ctrl-C stops it.", err=True)
            await stop.get()
            await _drain(gateway, stop, self.drain)
        click.echo("Stopped.", err=True)

    async def _open_session(self, stack: AsyncExitStack) -> AsyncSession:
        if self.redis is None:
            return open_session(self.base_url)
        from gradient_async.limits import RedisLimiter  # an extra

        limiter = RedisLimiter(self.redis, key=self.redis_key)
        stack.push_async_callback(limiter.aclose)
        return open_session(self.base_url, limits=limiter)

    async def _start(self, gateway: Gateway) -> str:
        try:
            return await gateway.listen(self.host, self.port)
        except OSError as error:
            number = error.errno or errno.EADDRNOTAVAIL  # the only error without a number, from CPython 3.13 on
            reason = _REASONS.get(number) or error.strerror or str(error)
            raise click.UsageError(
                f"Cannot listen on {self.host}:{self.port}: {reason}. Give another --port or --host."
            ) from None


@click.command(
    "proxy",
    epilog=format_examples("proxy --port 8090", 'proxy --host 0.0.0.0 --token "$TOKEN" --redis redis://localhost'),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a --token.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port; 0 picks a free one."
)
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="TOKEN",
    envvar=TOKEN_VARIABLE,
    help=f"Serve only callers with this API key; repeatable. Default: {TOKEN_VARIABLE}, split at spaces.",
)
@click.option("--redis", metavar="URL", help="Share the budget with other processes through this Redis.")
@click.option("--redis-key", metavar="NAME", help="Name of the shared budget, for several API keys in one Redis.")
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds for running requests after a signal to stop.",
)
@combine_options(
    click.option("--base-url", "--upstream", "base_url", metavar="URL", help="Address of the service."),
    *network_options,
)
def proxy_command(**options: Any) -> None:
    """Run a gateway with the key and the budget until Ctrl-C.

    It serves the paths of OpenAI's and Anthropic's APIs, to programs in any language. Requests wait for the rate
    limit instead of being refused: --timeout is the longest that one takes, and the header X-Deadline of a request
    states fewer or more seconds; X-Priority: bulk lets others go first. A page at / shows windows, queue and models;
    /metrics is for Prometheus.
    """
    command = ProxyCommand(**options)
    if any(not token.strip() for token in command.tokens):
        raise click.UsageError("A token is empty; give each --token a text that cannot be guessed.")
    if not command.tokens and not is_loopback(command.host):
        raise click.UsageError(
            f"Others could spend the budget of the key at {command.host}: give a --token, or listen on 127.0.0.1."
        )
    asyncio.run(command.run())


def _listen_for_signals() -> asyncio.Queue[None]:
    """Return a queue that gets an item for each signal to stop."""
    stop: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the process as usual
            loop.add_signal_handler(number, stop.put_nowait, None)
    return stop


async def _drain(gateway: Gateway, stop: asyncio.Queue[None], seconds: float) -> None:
    """Let the requests under way end, until *seconds* are over or another signal comes."""
    if running := gateway.statistics.running:
        click.echo(f"Stopping after {running} running requests, at most {seconds:g} s; Ctrl-C ends them.", err=True)
    tasks = {asyncio.create_task(gateway.drain(seconds)), asyncio.create_task(stop.get())}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    if left := gateway.statistics.running:
        click.echo(f"{left} requests were ended before they were complete.", err=True)


def _format_exports(address: str, *, needs_token: bool) -> str:
    """Return the shell lines that point the SDKs at a gateway."""
    key = "'one of the tokens'" if needs_token else "unused"
    variables = {
        "OPENAI_BASE_URL": f"{address}/v1",
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": address,
        "ANTHROPIC_API_KEY": key,
    }
    return "\n".join(f"export {name}={value}" for name, value in variables.items())
