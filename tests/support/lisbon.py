"""What agents are asked in the tests of Pydantic AI, and what their model answers."""

from pydantic import BaseModel

M = "llama3.3-70b-instruct"


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
