#!/usr/bin/env bash
# What a model thought before a tool call is not sent back by four of five agents, and one leaves out what it said, too.
#
# Versions:  openai-agents 0.24.0, agno 3.1.10, langgraph 1.2.22 with langchain-openai 1.7.4, pydantic-ai-slim 2.68.0,
#            semantic-kernel 1.45.0; openai 3.57.0.
# Input:     a stream of `reasoning_content`, then a text, then a tool call; looked at is the assistant's message in the
#            request that brings the tool's result.
# Seen:      Pydantic AI sends all three. openai-agents, agno and LangGraph send the text and the call, Semantic Kernel
#            the call alone.
# Matters:   DeepSeek's documentation wants the field back in each request of a tool loop, and says that its API answers
#            400 without; other models go on without the plan that they had made. A history has what was said, by every
#            field.
. "$(dirname "$0")/lib/run.sh"
run_python openai-agents==0.24.0 agno==3.1.10 'pydantic-ai-slim[openai]==2.68.0' langgraph==1.2.22 langchain-openai==1.7.4 openai==3.57.0 <<'PY'
import asyncio
import json
import logging
import warnings

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from agno.agent import Agent as AgnoAgent
from agno.models.openai.like import OpenAILike
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from openai import AsyncOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import Server, chunk, events, expect, tool_call

logging.disable()
warnings.simplefilter("ignore")
set_tracing_disabled(True)
thought, said = chunk({"role": "assistant", "reasoning_content": "Hmm."}), chunk({"content": "Let me look."})
first = events(thought, said, tool_call("look", "{}", "call_1"), chunk({}, "tool_calls"))
second = events(chunk({"role": "assistant", "content": "Done."}), chunk({}, "stop"))


def look() -> str:
    """Look it up."""
    return "found"


async def run_agents(url):
    client = AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
    agent = Agent(name="a", model=OpenAIChatCompletionsModel("m", client), tools=[function_tool(look)])
    async for _ in Runner.run_streamed(agent, "Hi").stream_events():
        pass


async def run_agno(url):
    model = OpenAILike(id="m", base_url=url, api_key="k", max_retries=0)
    async for _ in AgnoAgent(model=model, tools=[look], telemetry=False).arun("Hi", stream=True):
        pass


async def run_langgraph(url):
    model = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0)
    async for _ in create_react_agent(model, [look]).astream({"messages": "Hi"}, stream_mode="messages"):
        pass


async def run_pydantic(url):
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with PydanticAgent(model, tools=[look]).run_stream_events("Hi") as stream:
        async for _ in stream:
            pass


def fields_sent(run):
    server = Server(lambda sent: second if json.loads(sent)["messages"][-1]["role"] == "tool" else first)
    asyncio.run(run(server.url))
    message = json.loads(server.bodies[1])["messages"][-2]
    return [name for name in ("reasoning_content", "content", "tool_calls") if message.get(name)]


expect(
    {
        "openai-agents": fields_sent(run_agents),
        "agno": fields_sent(run_agno),
        "langgraph": fields_sent(run_langgraph),
        "pydantic-ai": fields_sent(run_pydantic),
    },
    {
        "openai-agents": ["content", "tool_calls"],
        "agno": ["content", "tool_calls"],
        "langgraph": ["content", "tool_calls"],
        "pydantic-ai": ["reasoning_content", "content", "tool_calls"],
    },
)
PY
run_python semantic-kernel==1.45.0 openai==3.57.0 <<'PY'
import asyncio
import json
import logging

from openai import AsyncOpenAI
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import kernel_function
from serve import Server, chunk, events, expect, tool_call

logging.disable()
thought, said = chunk({"role": "assistant", "reasoning_content": "Hmm."}), chunk({"content": "Let me look."})
first = events(thought, said, tool_call("Tools-look", "{}", "call_1"), chunk({}, "tool_calls"))
second = events(chunk({"role": "assistant", "content": "Done."}), chunk({}, "stop"))
server = Server(lambda sent: second if json.loads(sent)["messages"][-1]["role"] == "tool" else first)


class Tools:
    @kernel_function
    def look(self) -> str:
        """Look it up."""
        return "found"


async def run_agent():
    client = AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0)
    service = OpenAIChatCompletion(ai_model_id="m", async_client=client)
    async for _ in ChatCompletionAgent(service=service, name="a", plugins=[Tools()]).invoke_stream(messages="Hi"):
        pass


asyncio.run(run_agent())
message = json.loads(server.bodies[1])["messages"][-2]
fields = [name for name in ("reasoning_content", "content", "tool_calls") if message.get(name)]
expect({"semantic-kernel": fields}, {"semantic-kernel": ["tool_calls"]})
PY
