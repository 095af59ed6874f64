"""Tools and helpers of the tests of LangChain."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    AIMessageChunk,
    BaseMessage,
)
from langchain_core.tools import tool
from pydantic import BaseModel

from gradient_async.integrations.langchain import ChatGradient
from gradient_async.testing import Emulator

M = "llama3.3-70b-instruct"


WEATHER = {"name": "weather", "arguments": {"city": "Lisbon"}}


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"mild in {city}"


class City(BaseModel):
    """A city."""

    name: str
    population: int


async def send_messages(gradient_emulator: Emulator, model: ChatGradient, *messages: BaseMessage, **params: Any) -> Any:
    """Send *messages* and return the JSON body of the request."""
    gradient_emulator.reply("Hi")
    await model.ainvoke(list(messages), **params)
    return gradient_emulator.requests[-1].json


async def sum_chunks(model: Any, question: Any = "Hi") -> AIMessageChunk:
    """Return the sum of the message chunks of a stream."""
    whole = None
    async for piece in model.astream(question):
        whole = piece if whole is None else whole + piece
    assert isinstance(whole, AIMessageChunk)
    return whole


def comparable_fields(message: BaseMessage) -> dict[str, Any]:
    """Return the fields of a message without those that differ between calls."""
    fields = message.model_dump(exclude={"id"})
    fields["response_metadata"].pop("request_id")
    for call in fields.get("tool_calls", []):
        call.pop("id")
    return fields
