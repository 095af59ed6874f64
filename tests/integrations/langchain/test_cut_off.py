"""Arguments that were cut off stay incomplete for LangChain's parser of beginnings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk

from gradient_async.integrations.langchain.cut_off import build_ending

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\\n{}[]'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\'), inner, max_size=3),
    max_leaves=6,
)


def add_ending(arguments: str) -> AIMessageChunk:
    """Return the message that LangChain makes of *arguments* and their ending."""
    pieces = [tool_call_chunk(name="f", args=arguments, id="a", index=0)]
    ending = [tool_call_chunk(args=text, index=0)] if (text := build_ending(arguments)) else []
    return AIMessageChunk(content="", tool_call_chunks=pieces) + AIMessageChunk(content="", tool_call_chunks=ending)


@given(st.dictionaries(st.text("ab"), VALUES, min_size=1), st.data())
def test_the_beginning_of_an_object_is_an_invalid_tool_call(arguments: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(arguments)
    beginning = text[: data.draw(st.integers(1, len(text) - 1))]
    message = add_ending(beginning)
    assert message.tool_calls == []
    assert [call["args"] for call in message.invalid_tool_calls] == [beginning + build_ending(beginning)]
    assert add_ending(text).tool_calls[0]["args"] == arguments


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        ('{"amount": 12', "]"),
        ('{"amounts": [12', "}"),
        ('{"path": "/srv', '"]'),
        ('{"path": "C:\\', '\\"]'),
        ('{"a": 1}{"b": 2}', "]"),
        ('{"text": "two\nlines"}', ""),
        ("", ""),
        ("{}", ""),
        ("[1]", ""),
    ],
)
def test_the_ending_closes_nothing(arguments: str, ending: str) -> None:
    assert build_ending(arguments) == ending
