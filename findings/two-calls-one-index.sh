#!/usr/bin/env bash
# Two tool calls that a server streams under one index: three of four assemblers run them together into one call.
#
# Versions:  openai 3.3.0, langchain-openai 1.7.4, pydantic-ai-slim 2.38.0, litellm 1.110.2.
# Input:     two chunks at index 0, each a whole call with an id of its own: f({"a":1}) and g({"b":2}).
# Seen:      openai's helper makes one call `fg` with the id `call_1call_2`; Pydantic AI one call `fg`; LiteLLM one call
#            `g`; the arguments are `{"a":1}{"b":2}` in all three. LangChain returns both calls. Nobody raises.
# Matters:   servers that translate from other APIs send each call whole and count from 0. A new id under a known index
#            is a new call.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.3.0 langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.38.0' litellm==1.110.2 <<'PY'
import asyncio

import litellm
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import MESSAGES, Server, chunk, events, expect, tool_call

litellm.suppress_debug_info = True

body = events(tool_call("f", '{"a":1}', "call_1"), tool_call("g", '{"b":2}', "call_2"), chunk({}, "tool_calls"))
url = Server(body).url


def openai_calls():
    client = OpenAI(base_url=url, api_key="k", max_retries=0)
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        message = stream.until_done().get_final_completion().choices[0].message
    return [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]


def langchain_calls():
    first, *rest = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0).stream("Hi")
    return [(call["id"], call["name"], call["args"]) for call in sum(rest, start=first).tool_calls]


async def pydantic_calls():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for _ in stream:
            pass
        return [(part.tool_call_id, part.tool_name, part.args) for part in stream.get().parts]


def litellm_calls():
    chunks = litellm.completion("openai/m", MESSAGES, api_base=url, api_key="k", stream=True, max_retries=0)
    message = litellm.stream_chunk_builder(list(chunks)).choices[0].message
    return [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]


glued = '{"a":1}{"b":2}'
expect(
    {
        "openai": openai_calls(),
        "langchain": langchain_calls(),
        "pydantic-ai": asyncio.run(pydantic_calls()),
        "litellm": litellm_calls(),
    },
    {
        "openai": [("call_1call_2", "fg", glued)],
        "langchain": [("call_1", "f", {"a": 1}), ("call_2", "g", {"b": 2})],
        "pydantic-ai": [("call_2", "fg", glued)],
        "litellm": [("call_2", "g", glued)],
    },
)
PY
