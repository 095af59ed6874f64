#!/usr/bin/env bash
# A limit of 200 tokens never ends a team whose agents stream: their framework never asks for the usage.
#
# Versions:  autogen-agentchat 0.7.5 with autogen-ext 0.7.5, openai-agents 0.24.0, langchain-openai 1.7.4; contrasted
#            with pydantic-ai-slim 2.68.0.
# Input:     answers of 150 tokens. A stream ends with its usage if `stream_options` asks for it, as the API's reference
#            has it; whole answers always have one.
# Seen:      with TokenUsageTermination(200) AutoGen's team ends after two answers, and with `model_client_stream=True`
#            only at its limit of messages, with usages of 0. openai-agents counts 0 tokens for a stream, LangChain's
#            UsageMetadataCallbackHandler none at all. Pydantic AI asks, and its limit of tokens holds.
# Matters:   the one guard against a loop that spends money is off once the answers are shown as they come, and a cost
#            of 0 looks like a cheap run. Unknown is not nothing: without a usage an estimate has to stand.
. "$(dirname "$0")/lib/run.sh"
run_python autogen-agentchat==0.7.5 'autogen-ext[openai]==0.7.5' <<'PY'
import asyncio
import json
import logging

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TokenUsageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient
from serve import Server, complete, expect

logging.disable()
url = Server(lambda sent: complete(json.loads(sent), {"content": "More."}), "application/json").url
info = {"vision": False, "function_calling": True, "json_output": True, "family": "unknown", "structured_output": True}


async def count_answers(stream):
    client = OpenAIChatCompletionClient(model="m", base_url=url, api_key="k", max_retries=0, model_info=info)
    agent = AssistantAgent("agent", client, model_client_stream=stream)
    limits = TokenUsageTermination(max_total_token=200) | MaxMessageTermination(21)
    _, *answers = (await RoundRobinGroupChat([agent], termination_condition=limits).run(task="Hi")).messages
    return len(answers), sum(each.models_usage.prompt_tokens + each.models_usage.completion_tokens for each in answers)


seen = {"autogen": asyncio.run(count_answers(False)), "autogen, stream": asyncio.run(count_answers(True))}
expect(seen, {"autogen": (2, 300), "autogen, stream": (20, 0)})
PY
run_python openai-agents==0.24.0 openai==3.57.0 langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.68.0' <<'PY'
import asyncio
import json

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import UsageLimitExceeded, UsageLimits
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import Server, complete, expect

url = Server(lambda sent: complete(json.loads(sent), {"content": "More."}), "application/json").url
set_tracing_disabled(True)


async def with_agents():
    async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        run = Runner.run_streamed(Agent(name="agent", model=OpenAIChatCompletionsModel("m", client)), "Hi")
        async for _ in run.stream_events():
            pass
    return run.context_wrapper.usage.requests, run.context_wrapper.usage.total_tokens


def with_langchain():
    handler = UsageMetadataCallbackHandler()
    list(ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0).stream("Hi", config={"callbacks": [handler]}))
    return handler.usage_metadata


async def with_pydantic_ai():
    agent = PydanticAgent(OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k")))
    try:
        async with agent.run_stream("Hi", usage_limits=UsageLimits(total_tokens_limit=100)) as run:
            return await run.get_output()
    except UsageLimitExceeded:
        return "UsageLimitExceeded"


expect(
    {
        "openai-agents": asyncio.run(with_agents()),
        "langchain": with_langchain(),
        "pydantic-ai": asyncio.run(with_pydantic_ai()),
    },
    {"openai-agents": (1, 0), "langchain": {}, "pydantic-ai": "UsageLimitExceeded"},
)
PY
