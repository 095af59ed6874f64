"""Shared by the commands that request completions: their options, session and messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from gradient_async.cli.options import build_service_options, combine_options, open_session
from gradient_async.cli.settings import DEFAULT_MODEL, MODEL_VARIABLE

if TYPE_CHECKING:
    from gradient_async import WaitHook
    from gradient_async.resources.chat.agent import AgentChatCompletions
    from gradient_async.resources.chat.completions import ChatCompletions

completion_options = combine_options(
    click.option(
        "-m", "--model", envvar=MODEL_VARIABLE, show_envvar=True, show_default=DEFAULT_MODEL, help="Model to use."
    ),
    click.option("--agent", is_flag=True, help="Use the agent at AGENT_ENDPOINT, with the key AGENT_ACCESS_KEY."),
    click.option("--max-tokens", type=click.IntRange(min=1), help="Maximum number of tokens to generate."),
)
"""Adds ``--model``, ``--agent`` and ``--max-tokens``."""
service_options = build_service_options("Address of the service; with --agent, address of the agent.")


def select_model(model: str | None, *, agent: bool) -> str | None:
    """Return *model*, else the default model; None for an agent, which has its own."""
    return model or (None if agent else DEFAULT_MODEL)


@asynccontextmanager
async def open_completions(
    base_url: str | None, *, agent: bool, hooks: Iterable[WaitHook] = ()
) -> AsyncIterator[ChatCompletions | AgentChatCompletions]:
    """Open a session for the service, or for the agent, at *base_url* and yield its chat completions."""
    inference, agent_endpoint = (None, base_url) if agent else (base_url, None)
    async with open_session(inference, agent_endpoint=agent_endpoint, hooks=hooks) as session:
        yield session.agent().chat.completions if agent else session.chat.completions
