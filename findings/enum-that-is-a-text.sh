#!/usr/bin/env bash
# A tool is annotated with an enum, its schema has the values, and two frameworks call it with a text that is no member.
#
# Versions:  haystack-ai 3.4.1, llama-index-core 0.14.25 with llama-index-llms-openai-like 0.8.1; contrasted with agno
#            3.1.10, langgraph 1.2.22 with langchain-openai 1.7.4, pydantic-ai-slim 2.68.0.
# Input:     a function with the parameters `when: date`, `mode: Mode`, an enum of `dry` and `real`, `ids: set[int]`; and
#            a call of it with {"when": "2026-03-01", "mode": "dry", "ids": [7, 7]}, which fits the schema that is sent.
# Seen:      Haystack and LlamaIndex make the schema of the annotations and pass the JSON as it is: two texts and a list
#            with 7 twice, so that `mode is Mode.DRY` is false. The other three pass a date, a member and a set.
# Matters:   the branch for `dry` is never taken, nothing is raised, and a type checker sees no fault. A schema that is
#            made of annotations promises their types: the arguments are converted by the same ones.
. "$(dirname "$0")/lib/run.sh"
run_python haystack-ai==3.4.1 agno==3.1.10 langgraph==1.2.22 langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.68.0' openai==3.57.0 <<'PY'
from datetime import date
from enum import Enum

from agno.agent import Agent as AgnoAgent
from agno.models.openai.like import OpenAILike
from haystack.components.agents import Agent as HaystackAgent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import expect, serve_call


class Mode(Enum):
    DRY = "dry"
    REAL = "real"


got, sent = [], {"when": "2026-03-01", "mode": "dry", "ids": [7, 7]}


def send_orders(when: date, mode: Mode, ids: set[int]) -> str:
    """Send orders."""
    got.append((type(when).__name__, mode is Mode.DRY, len(ids)))
    return "Sent."


def with_haystack(url):
    model = OpenAIChatGenerator(api_key=Secret.from_token("k"), api_base_url=url, model="m")
    tool = create_tool_from_function(send_orders)
    HaystackAgent(chat_generator=model, tools=[tool]).run([ChatMessage.from_user("Hi")])


def with_agno(url):
    AgnoAgent(model=OpenAILike(id="m", base_url=url, api_key="k"), tools=[send_orders], telemetry=False).run("Hi")


def with_langgraph(url):
    model = ChatOpenAI(base_url=url, api_key="k", model="m")
    create_react_agent(model, [send_orders]).invoke({"messages": [("user", "Hi")]})


def with_pydantic_ai(url):
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    PydanticAgent(model, tools=[send_orders]).run_sync("Hi")


for run in (with_haystack, with_agno, with_langgraph, with_pydantic_ai):
    run(serve_call("send_orders", **sent).url)
expect(
    dict(zip(["haystack", "agno", "langgraph", "pydantic-ai"], got, strict=True)),
    {"haystack": ("str", False, 2)} | dict.fromkeys(["agno", "langgraph", "pydantic-ai"], ("date", True, 1)),
)
PY
run_python llama-index-core==0.14.25 llama-index-llms-openai-like==0.8.1 <<'PY'
import asyncio
from datetime import date
from enum import Enum

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from serve import expect, serve_call


class Mode(Enum):
    DRY = "dry"
    REAL = "real"


got, sent = [], {"when": "2026-03-01", "mode": "dry", "ids": [7, 7]}


def send_orders(when: date, mode: Mode, ids: set[int]) -> str:
    """Send orders."""
    got.append((type(when).__name__, mode is Mode.DRY, len(ids)))
    return "Sent."


async def with_llama_index(url):
    options = {"is_chat_model": True, "is_function_calling_model": True}
    model = OpenAILike(model="m", api_base=url, api_key="k", **options)
    await FunctionAgent(tools=[FunctionTool.from_defaults(send_orders)], llm=model).run("Hi")


server = serve_call("send_orders", **sent)
asyncio.run(with_llama_index(server.url))
expect(
    {"llama-index": got[0], "values in the schema": b'["dry","real"]' in server.bodies[0].replace(b'", "', b'","')},
    {"llama-index": ("str", False, 2), "values in the schema": True},
)
PY
