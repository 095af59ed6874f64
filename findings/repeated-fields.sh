#!/usr/bin/env bash
# Servers that repeat the role, or the id and the name of a tool call, in every chunk: three of four assemblers glue them.
#
# Versions:  openai 3.3.0, langchain-openai 1.7.4, pydantic-ai-slim 2.38.0, litellm 1.110.2.
# Input:     two chunks of one call, both with its id `call_1` and its name `f`; three chunks with `role: assistant`.
# Seen:      openai's stream helper returns the role `assistantassistantassistant`, the id `call_1call_1` and the name
#            `ff`; LangChain and Pydantic AI glue only the name; LiteLLM glues nothing. Nobody raises.
# Matters:   a loop runs no tool named `ff`, and no server takes the message back. What identifies is replaced, what is
#            text is appended.
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

calls = Server(events(tool_call("f", '{"a"', "call_1"), tool_call("f", ":1}", "call_1"), chunk({}, "tool_calls")))
roles = Server(events(*[chunk({"role": "assistant", "content": each}) for each in "abc"], chunk({}, "stop")))


def openai_message(server):
    client = OpenAI(base_url=server.url, api_key="k", max_retries=0)
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        return stream.until_done().get_final_completion().choices[0].message


def langchain_name():
    model = ChatOpenAI(base_url=calls.url, api_key="k", model="m", max_retries=0)
    first, *rest = model.stream("Hi")
    return sum(rest, start=first).tool_calls[0]["name"]


async def pydantic_name():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=calls.url, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for _ in stream:
            pass
        return stream.get().parts[0].tool_name


def litellm_name():
    chunks = litellm.completion("openai/m", MESSAGES, api_base=calls.url, api_key="k", stream=True, max_retries=0)
    return litellm.stream_chunk_builder(list(chunks)).choices[0].message.tool_calls[0].function.name


(call,) = openai_message(calls).tool_calls
expect(
    {
        "openai, role": openai_message(roles).role,
        "openai, id": call.id,
        "openai, name": call.function.name,
        "langchain, name": langchain_name(),
        "pydantic-ai, name": asyncio.run(pydantic_name()),
        "litellm, name": litellm_name(),
    },
    {
        "openai, role": "assistantassistantassistant",
        "openai, id": "call_1call_1",
        "openai, name": "ff",
        "langchain, name": "ff",
        "pydantic-ai, name": "ff",
        "litellm, name": "f",
    },
)
PY
