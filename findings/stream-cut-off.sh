#!/usr/bin/env bash
# A stream that ends early, without [DONE] and without a finish reason: four of five return the part as the answer.
#
# Versions:  openai 3.3.0, anthropic 2.14.0, langchain-openai 1.7.4, pydantic-ai-slim 2.38.0, litellm 1.110.2.
# Input:     three chunks with the text `abc`, then the regular end of the HTTP body, as a restarted gateway leaves it.
# Seen:      openai (plain and helper), anthropic's helper, LangChain and Pydantic AI return `abc` as if it were whole;
#            LiteLLM raises. Only a look at the finish reason, which is None, tells.
# Matters:   half answers get into caches, data sets and tool calls. The end of a stream is something that must be said.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.3.0 anthropic==2.14.0 langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.38.0' litellm==1.110.2 <<'PY'
import asyncio
import json

import litellm
from anthropic import Anthropic
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import MESSAGES, Server, chunk, events, expect, outcome

litellm.suppress_debug_info = True
url = Server(events(*[chunk({"content": each}) for each in "abc"], end=b"")).url
client = OpenAI(base_url=url, api_key="k", max_retries=0)


def named(event):
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode())


message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None}
begun = [
    {"type": "message_start", "message": message | {"usage": {"input_tokens": 1, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "abc"}},
]
messages_root = Server(b"".join(map(named, begun))).root


def plain():
    chunks = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    return "".join(each.choices[0].delta.content for each in chunks)


def helper():
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        return stream.until_done().get_final_completion().choices[0].message.content


def anthropic_helper():
    client = Anthropic(base_url=messages_root, api_key="k", max_retries=0)
    with client.messages.stream(model="m", messages=MESSAGES, max_tokens=9) as stream:
        return stream.get_final_message().content[0].text


def langchain():
    return "".join(each.content for each in ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0).stream("Hi"))


async def pydantic():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for _ in stream:
            pass
        return stream.get().parts[0].content


def litellm_text():
    chunks = litellm.completion("openai/m", MESSAGES, api_base=url, api_key="k", stream=True, max_retries=0)
    return "".join(each.choices[0].delta.content or "" for each in chunks)


expect(
    {
        "openai": outcome(plain),
        "openai, helper": outcome(helper),
        "anthropic, helper": outcome(anthropic_helper),
        "langchain": outcome(langchain),
        "pydantic-ai": outcome(lambda: asyncio.run(pydantic())),
        "litellm": str(outcome(litellm_text)).split(":")[0],
    },
    {
        "openai": "abc",
        "openai, helper": "abc",
        "anthropic, helper": "abc",
        "langchain": "abc",
        "pydantic-ai": "abc",
        "litellm": "MidStreamFallbackError",
    },
)
PY
