#!/usr/bin/env bash
# A messages stream that counts its prompt in the first event alone: 165 tokens are 5 for one framework, 15 for another.
#
# Versions:  langchain-anthropic 1.7.10 with langchain-core 1.8.3, agno 3.1.10 with anthropic 2.14.0, pydantic-ai-slim
#            2.68.0, litellm 1.110.2.
# Input:     10 tokens of input, 100 read from the cache and 50 written to it in `message_start`, 5 of output in
#            `message_delta`, whose other counts are optional; and the same as a whole message.
# Seen:      LangChain returns a prompt of 0 for the stream and of 160 for the message; agno 10 for both and a total of
#            15; LiteLLM 160 for both, Pydantic AI 160 for the stream.
# Matters:   what is counted is what is billed, limited and shown. Each count stands until a later event names it, and
#            the cached parts belong to the prompt.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-anthropic==1.7.10 langchain-core==1.8.3 'pydantic-ai-slim[anthropic]==2.68.0' <<'PY'
import asyncio
import json

from langchain_anthropic import ChatAnthropic
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from serve import Server, expect, message, message_events

usage = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50, "output_tokens": 5}
streamed = Server(message_events("Hi", usage | {"output_tokens": 1}, {"output_tokens": 5})).root
whole = Server(json.dumps(message("Hi", usage)).encode(), "application/json").root


def langchain(url, read):
    counts = read(ChatAnthropic(base_url=url, api_key="k", model="claude-sonnet-4-5", max_retries=0)).usage_metadata
    return counts["input_tokens"], counts["total_tokens"]


def stream(model):
    first, *rest = model.stream("Hi")
    return sum(rest, start=first)


async def pydantic_ai():
    model = AnthropicModel("claude-sonnet-4-5", provider=AnthropicProvider(base_url=streamed, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as response:
        async for _ in response:
            pass
    counts = response.get().usage
    return counts.input_tokens, counts.total_tokens


expect(
    {
        "langchain, stream": langchain(streamed, stream),
        "langchain, whole": langchain(whole, lambda model: model.invoke("Hi")),
        "pydantic-ai, stream": asyncio.run(pydantic_ai()),
    },
    {"langchain, stream": (0, 5), "langchain, whole": (160, 165), "pydantic-ai, stream": (160, 165)},
)
PY
run_python agno==3.1.10 anthropic==2.14.0 <<'PY'
import json

from agno.agent import Agent
from agno.models.anthropic import Claude
from serve import Server, expect, message, message_events

usage = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50, "output_tokens": 5}
streamed = Server(message_events("Hi", usage | {"output_tokens": 1}, {"output_tokens": 5})).root
whole = Server(json.dumps(message("Hi", usage)).encode(), "application/json").root


def agno(url, **options):
    model = Claude(id="claude-sonnet-4-5", api_key="k", client_params={"base_url": url})
    run = Agent(model=model, telemetry=False).run("Hi", **options)
    counts = (list(run)[-1] if options else run).metrics
    return counts.input_tokens, counts.total_tokens


expect(
    {"agno, stream": agno(streamed, stream=True, stream_events=True), "agno, whole": agno(whole)},
    {"agno, stream": (10, 15), "agno, whole": (10, 15)},
)
PY
run_python litellm==1.110.2 <<'PY'
import json

import litellm
from serve import MESSAGES, Server, expect, message, message_events

usage = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50, "output_tokens": 5}
streamed = Server(message_events("Hi", usage | {"output_tokens": 1}, {"output_tokens": 5})).root
whole = Server(json.dumps(message("Hi", usage)).encode(), "application/json").root

litellm.suppress_debug_info = True
request = {"model": "anthropic/claude-sonnet-4-5", "messages": MESSAGES, "api_key": "k", "max_retries": 0}


def litellm_counts(response):
    return response.usage.prompt_tokens, response.usage.total_tokens


chunks = list(litellm.completion(**request, api_base=streamed, stream=True, stream_options={"include_usage": True}))
expect(
    {
        "litellm, stream": litellm_counts(litellm.stream_chunk_builder(chunks)),
        "litellm, whole": litellm_counts(litellm.completion(**request, api_base=whole)),
    },
    {"litellm, stream": (160, 165), "litellm, whole": (160, 165)},
)
PY
