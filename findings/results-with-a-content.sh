#!/usr/bin/env bash
# A tool returns the status and the content of a page, and the model gets an empty text: three agents take a result for
# a message of their own.
#
# Versions:  strands-agents 1.62.0, openai-agents 0.24.0, langgraph 1.2.22 with langchain-openai 1.7.4; contrasted with
#            pydantic-ai-slim 2.68.0; openai 3.57.0.
# Input:     a function returns {"status": 200, "content": "Lisbon"}, a page that was fetched; {"type": "text", "text":
#            "Lisbon", "page": 7}, a record; or a list of {"type": "file", "name": "a.txt"}, a folder.
# Seen:      Strands sends "" for the page, and adds its `toolUseId` to the function's own dict; its documentation has a
#            list as `content`. openai-agents sends the text of the record, LangGraph that of a list of one, both
#            without the page. LangGraph sends the folder as a part of the type `file` with a `name`, a part that the
#            API does not have. Pydantic AI sends all three as JSON.
# Matters:   the model says that the page is empty, or that it knows no page 7, and no log has an error. Keys with such
#            common names mark nothing: what a function returns is sent whole, as JSON.
. "$(dirname "$0")/lib/run.sh"
run_python strands-agents==1.62.0 openai-agents==0.24.0 langgraph==1.2.22 langchain-openai==1.7.4 'pydantic-ai-slim[openai]==2.68.0' openai==3.57.0 <<'PY'
import json
import logging

import strands
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from openai import AsyncOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import expect, serve_call, tool_result
from strands.models.openai import OpenAIModel

logging.disable()
set_tracing_disabled(True)


def with_strands(url, look):
    model = OpenAIModel(client_args={"base_url": url, "api_key": "k"}, model_id="m")
    strands.Agent(model=model, tools=[strands.tool(look)], callback_handler=None)("Hi")


def with_agents(url, look):
    model = OpenAIChatCompletionsModel("m", AsyncOpenAI(base_url=url, api_key="k"))
    Runner.run_sync(Agent(name="agent", model=model, tools=[function_tool(look)]), "Hi")


def with_langgraph(url, look):
    create_react_agent(ChatOpenAI(base_url=url, api_key="k", model="m"), [look]).invoke({"messages": [("user", "Hi")]})


def with_pydantic_ai(url, look):
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    PydanticAgent(model, tools=[look]).run_sync("Hi")


def send(run, result):
    def look():
        """Look."""
        return result

    server = serve_call("look")
    run(server.url, look)
    sent = tool_result(server)
    return sent.replace(" ", "") if isinstance(sent, str) else sent


def page():
    return {"status": 200, "content": "Lisbon"}


record = {"type": "text", "text": "Lisbon", "page": 7}
folder = [{"type": "file", "name": "a.txt"}]
own = page()
send(with_strands, own)
expect(
    {
        "strands, page": (send(with_strands, page()), own),
        "openai-agents, record": send(with_agents, record),
        "langgraph, records": send(with_langgraph, [record]),
        "langgraph, folder": send(with_langgraph, folder),
        "pydantic-ai": [send(with_pydantic_ai, each) for each in (page(), record, folder)],
    },
    {
        "strands, page": ("", page() | {"toolUseId": "call_1"}),
        "openai-agents, record": [{"type": "text", "text": "Lisbon"}],
        "langgraph, records": [{"type": "text", "text": "Lisbon"}],
        "langgraph, folder": folder,
        "pydantic-ai": [json.dumps(each, separators=(",", ":")) for each in (page(), record, folder)],
    },
)
PY
