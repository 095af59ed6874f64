#!/usr/bin/env bash
# An agent's loop is left after the first words, and the agent goes on: the tool is run, and its result is sent.
#
# Versions:  openai-agents 0.24.0, agno 3.1.10, pydantic-ai-slim 2.68.0, langgraph 1.2.22 with langchain-openai 1.7.4;
#            openai 3.57.0.
# Input:     a stream of text and then a call of the tool `pay`; the loop over its events is left at the text, before
#            the call has come, and the iterator is closed.
# Seen:      openai-agents reads on, pays, and sends a second request; closing the iterator waits for all of that. Only
#            its `cancel()` stops it. agno neither pays nor closes the connection. Pydantic AI and LangGraph close it.
# Matters:   a user who saw where this was going has said no, and the bill is paid. Who leaves a loop has to end what is
#            behind it: a stream of this kind is closed with its block, and a run is cancelled.
. "$(dirname "$0")/lib/run.sh"
run_python openai-agents==0.24.0 agno==3.1.10 'pydantic-ai-slim[openai]==2.68.0' langgraph==1.2.22 langchain-openai==1.7.4 openai==3.57.0 <<'PY'
import asyncio
import contextlib
import http.server
import json
import logging
import threading
import time

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from agno.agent import Agent as AgnoAgent
from agno.models.openai.like import OpenAILike
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent
from openai import AsyncOpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import chunk, events, expect, tool_call

logging.disable()
set_tracing_disabled(True)
payments = []


def pay() -> str:
    """Pay the bill."""
    payments.append("paid")
    return "paid"


class Service:
    """Streams a text, and a second after the loop was left the call of a tool, unless the connection is closed."""

    def __init__(self):
        self.requests, self.closed, self.left, owner = 0, False, threading.Event(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                owner.requests += 1
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                if body["messages"][-1]["role"] == "tool":
                    self.wfile.write(events(chunk({"role": "assistant", "content": "Done."}), chunk({}, "stop")))
                    return
                self.wfile.write(events(chunk({"role": "assistant", "content": "Let me pay."}), end=b""))
                owner.left.wait(30)
                try:
                    for _ in range(10):
                        time.sleep(0.1)
                        self.wfile.write(b": waiting\n\n")
                    self.wfile.write(events(tool_call("pay", "{}", "call_1"), chunk({}, "tool_calls")))
                except OSError:
                    owner.closed = True

            def log_message(self, format, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/v1"


def run_agents(url):
    client = AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
    model = OpenAIChatCompletionsModel("m", client)
    return Runner.run_streamed(Agent(name="a", model=model, tools=[function_tool(pay)]), "Hi")


async def read_agents(url):
    async with contextlib.aclosing(run_agents(url).stream_events()) as stream:
        async for event in stream:
            yield event


async def read_and_cancel(url):
    result = run_agents(url)
    try:
        async for event in result.stream_events():
            yield event
    finally:
        result.cancel()


def read_agno(url):
    model = OpenAILike(id="m", base_url=url, api_key="k", max_retries=0)
    return AgnoAgent(model=model, tools=[pay], telemetry=False).arun("Hi", stream=True)


async def read_pydantic(url):
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with PydanticAgent(model, tools=[pay]).run_stream_events("Hi") as stream:
        async for event in stream:
            yield event


def read_langgraph(url):
    model = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0)
    return create_react_agent(model, [pay]).astream({"messages": "Hi"}, stream_mode="messages")


async def leave_at_text(read):
    service = Service()
    payments.clear()
    async with contextlib.aclosing(read(service.url)) as stream:
        async for event in stream:
            if "Let me pay." in repr(event):
                service.left.set()
                break
    await asyncio.sleep(4)
    return service.requests, len(payments), "closed" if service.closed else "open"


readers = {
    "openai-agents": read_agents,
    "openai-agents, cancel": read_and_cancel,
    "agno": read_agno,
    "pydantic-ai": read_pydantic,
    "langgraph": read_langgraph,
}
expect(
    {name: asyncio.run(leave_at_text(read)) for name, read in readers.items()},
    {
        "openai-agents": (2, 1, "open"),
        "openai-agents, cancel": (1, 0, "closed"),
        "agno": (1, 0, "open"),
        "pydantic-ai": (1, 0, "closed"),
        "langgraph": (1, 0, "closed"),
    },
)
PY
