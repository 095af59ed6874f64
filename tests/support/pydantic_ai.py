"""Models, tools and helpers of the tests of Pydantic AI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from gradient_async.testing import Emulator

M = "llama3.3-70b-instruct"
LONG = "one two three four five six seven eight nine ten"


class City(BaseModel):
    """A city."""

    name: str
    population: int


LISBON = City(name="Lisbon", population=545000)
CALL = {"name": "weather", "arguments": {"city": "Lisbon"}}
ANSWER = {"name": "final_result", "arguments": LISBON.model_dump()}


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"mild in {city}"


def rain(city: str) -> str:
    """Tell the rain in a city."""
    return f"none in {city}"


def request_body(emulator: Emulator, number: int = -1) -> Any:
    """Return the JSON body of a request, by default of the last one."""
    return emulator.requests[number].json


async def ignore_events(_: Any, events: Any) -> None:
    """Handle events by reading them all."""
    async for _ in events:
        pass
