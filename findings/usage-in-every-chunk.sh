#!/usr/bin/env bash
# A usage so far in each chunk, as vLLM's continuous_usage_stats sends it: two frameworks add the chunks up.
#
# Versions:  langchain-openai 1.7.4, pydantic-ai-slim 2.38.0, litellm 1.110.2, openai 3.3.0.
# Input:     a stream of five chunks whose usage is 10 prompt tokens and 1, 2, 3, 4, 4 completion tokens: 14 in the end.
# Seen:      LangChain and Pydantic AI report 50 + 14 = 64 tokens; openai's helper and LiteLLM report 14.
# Matters:   budgets and bills made of such sums grow with the length of the answer, squared. The last usage is the one
#            that counts.
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
from serve import MESSAGES, Server, chunk, events, expect

litellm.suppress_debug_info = True


def usage(tokens):
    return {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}


words = [chunk({"content": "word "}, usage=usage(number)) for number in (1, 2, 3, 4)]
url = Server(events(*words, chunk({}, "stop", usage=usage(4)))).url
wanted = {"stream": True, "stream_options": {"include_usage": True}}


def openai_total():
    client = OpenAI(base_url=url, api_key="k", max_retries=0)
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        return stream.until_done().get_final_completion().usage.total_tokens


def langchain_total():
    model = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0, stream_usage=True)
    first, *rest = model.stream("Hi")
    return sum(rest, start=first).usage_metadata["total_tokens"]


async def pydantic_total():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for _ in stream:
            pass
        return stream.get().usage.total_tokens


def litellm_total():
    chunks = litellm.completion("openai/m", MESSAGES, api_base=url, api_key="k", max_retries=0, **wanted)
    return litellm.stream_chunk_builder(list(chunks)).usage.total_tokens


expect(
    {
        "openai": openai_total(),
        "langchain": langchain_total(),
        "pydantic-ai": asyncio.run(pydantic_total()),
        "litellm": litellm_total(),
    },
    {"openai": 14, "langchain": 64, "pydantic-ai": 64, "litellm": 14},
)
PY
