"""Python functions as tools."""

import gc
import json
import weakref
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import attrs
import pytest

from gradient_async import ConfigurationError, ResponseDecodeError, Timeouts
from gradient_async._protocol.requests.chat import CHAT_PATH, build_chat_request
from gradient_async._protocol.schema.function_tool import function_tool


class Unit(Enum):
    C = "celsius"
    F = "fahrenheit"


@attrs.define
class Place:
    city: str


async def weather(
    place: Place, days: int = 3, *, unit: Unit = Unit.C, why: Annotated[str | None, "For the log."] = None
) -> str:
    """Tell the weather of a place,
    today and after.

    Longer explanations are for programmers.

    Args:
        place: Where, with
            its city.
        days (int): How many days.

    Returns:
        A sentence: not for the model.
    """
    return f"{place} {days} {unit} {why}"


def no_parameters() -> None: ...


class Counter:
    def add(self, number: int) -> int:
        return number


MESSAGES = [{"role": "user", "content": "Hi"}]


def test_a_definition_has_the_docstring_and_the_signature() -> None:
    assert function_tool(weather).definition == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather of a place, today and after.",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                        "additionalProperties": False,
                        "description": "Where, with its city.",
                    },
                    "days": {"type": "integer", "description": "How many days.", "default": 3},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                    "why": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "For the log."},
                },
                "required": ["place"],
                "additionalProperties": False,
            },
        },
    }


def test_a_function_without_parameters_and_docstring_has_a_name() -> None:
    assert function_tool(no_parameters).definition["function"] == {
        "name": "no_parameters",
        "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    }


def test_a_method_has_no_self() -> None:
    assert function_tool(Counter().add).definition["function"]["parameters"]["required"] == ["number"]


def test_a_function_is_described_once() -> None:
    assert function_tool(weather) is function_tool(weather)


def test_a_function_made_for_one_call_is_not_kept_alive() -> None:
    def make_and_describe(large: object) -> weakref.ref[Callable[[int], str]]:
        def look_up(number: int) -> str:
            return f"{number} of {large}"

        assert function_tool(look_up).parse_arguments('{"number": 1}') == {"number": 1}
        return weakref.ref(look_up)

    make_and_describe(object())  # fills the caches that are made once
    gc.collect()
    classes = len(object.__subclasses__())
    calls = [make_and_describe(object()) for _ in range(20)]
    gc.collect()
    assert [call() for call in calls] == [None] * 20
    assert len(object.__subclasses__()) == classes


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"place": {"city": "Lisbon"}}', {"place": Place("Lisbon")}),
        (
            '{"place": {"city": "a"}, "unit": "fahrenheit", "why": null}',
            {"place": Place("a"), "unit": Unit.F, "why": None},
        ),
    ],
)
def test_arguments_are_converted_and_defaults_are_left_out(text: str, arguments: dict[str, Any]) -> None:
    assert function_tool(weather).parse_arguments(text) == arguments


@pytest.mark.parametrize("text", ["", " ", "{}", "null"])
def test_empty_arguments_have_several_forms(text: str) -> None:
    assert function_tool(no_parameters).parse_arguments(text) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "The arguments are not valid JSON."),
        ("[]", "expected an object, got a list"),
        ("{}", r"\$\.place: it is missing"),
        ('{"place": {"city": 1}}', r"\$\.place\.city: expected a string"),
        ('{"place": {"city": "a"}, "when": 1}', "unknown name 'when'"),
    ],
)
def test_arguments_that_do_not_fit_raise_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ResponseDecodeError, match=reason):
        function_tool(weather).parse_arguments(text)


def unsaid(x): ...  # type: ignore[no-untyped-def]  # the point of it


def starred(*numbers: int) -> None: ...


def keyed(**numbers: int) -> None: ...


def positional(x: int, /) -> None: ...


def lost(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - the point of it


def imaginary(x: complex) -> None: ...


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (unsaid, "unsaid.x has no annotation; say what it is: give str"),
        (starred, "starred.numbers takes any number of arguments"),
        (keyed, "keyed.numbers takes any number of arguments"),
        (positional, "positional.x is positional-only; .* remove the '/'"),
        (imaginary, "imaginary.x is complex, which has no JSON Schema"),
        (lost, "lost has an annotation that cannot be resolved"),
        (Counter.add, r"add.self has no value; .* tools=\[thing.method\]"),
        (lambda: 1, "<lambda> cannot be a tool's name"),
        (Counter, "give a function, made with def or async def"),
        (print, r"print\.\w+ takes any number"),
        (str.join, "join.self is positional-only"),
    ],
)
def test_a_function_that_cannot_be_a_tool_raises_with_advice(function: Callable[..., Any], advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        function_tool(function)


def test_functions_and_descriptions_go_into_a_request_together() -> None:
    described = {"type": "function", "function": {"name": "f"}}
    params = {"model": "m", "messages": MESSAGES, "tools": (no_parameters, described)}
    request = build_chat_request(CHAT_PATH, params, stream=True, timeouts=Timeouts())
    assert json.loads(request.body or b"")["tools"] == [function_tool(no_parameters).definition, described]


def test_a_class_as_response_format_of_create_names_parse() -> None:
    with pytest.raises(ConfigurationError, match=r"class Place; chat\.completions\.parse"):
        build_chat_request(
            CHAT_PATH, {"model": "m", "messages": MESSAGES, "response_format": Place}, stream=False, timeouts=Timeouts()
        )
