"""Chat streams for tests: a prompt, a long result and a stream of both."""

from typing import Any

from gradient_async import AsyncSession, ChatStream
from gradient_async.params import MessageParam

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
LONG = "one two three four five six seven eight nine ten"


def chat_stream(session: AsyncSession, **params: Any) -> ChatStream:
    """Return a chat stream whose request is not sent yet."""
    return session.chat.completions.stream(model="m", messages=HI, **params)
