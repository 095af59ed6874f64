"""What the commands that ask for completions share: their options, whom they ask, and the conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from gradient_async import AsyncSession
from gradient_async.cli.settings import DEFAULT_MODEL, MODEL_VARIABLE
from gradient_async.resources.chat.agent import AgentChatCompletions
from gradient_async.resources.chat.completions import ChatCompletions

model_option = click.option(
    "-m", "--model", envvar=MODEL_VARIABLE, show_envvar=True, show_default=DEFAULT_MODEL, help="Who answers."
)
agent_option = click.option("--agent", is_flag=True, help="Ask the agent of AGENT_ENDPOINT with AGENT_ACCESS_KEY.")
max_tokens_option = click.option("--max-tokens", type=click.IntRange(min=1), help="The longest answer, in tokens.")
base_url_option = click.option("--base-url", help="Another address of the service; with --agent, of the agent.")


def model_for(model: str | None, *, agent: bool) -> str | None:
    """Return the *model* to name; an agent needs none."""
    return model or (None if agent else DEFAULT_MODEL)


def conversation(system: str | None, prompt: str) -> list[dict[str, str]]:
    """Return the messages of a *prompt*, with the instructions before it if there are any."""
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": prompt}]


@asynccontextmanager
async def completions_of(base_url: str | None, *, agent: bool) -> AsyncIterator[ChatCompletions | AgentChatCompletions]:
    """Open a session, for the service or for the agent at *base_url*, and yield its chat completions."""
    async with AsyncSession(agent_endpoint=base_url) if agent else AsyncSession(base_url=base_url) as session:
        yield session.agent().chat.completions if agent else session.chat.completions
