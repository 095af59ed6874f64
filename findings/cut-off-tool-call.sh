#!/usr/bin/env bash
# A tool call that max_tokens cut off becomes a whole one: `"amount": 12`, the beginning of 1200, is ready to be run.
#
# Versions:  langchain-openai 1.7.4 with langchain-core 1.8.3; llama-index-llms-openai-like 0.8.1 with llama-index-core
#            0.14.25; pydantic-ai-slim 2.68.0.
# Input:     the arguments `{"account": "4711", "amount": 12` and the finish reason `length`, as a stream and as a whole
#            response.
# Seen:      LangChain lists the call among the invalid ones of the whole response, and among the valid ones of the
#            stream, with 12. LlamaIndex returns it with 12 in both. Pydantic AI runs nothing and raises.
# Matters:   an agent pays 12, or deletes `/srv` for `/srv/cache`. Arguments count when they are whole JSON, and a parser
#            of beginnings is for the screen.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-openai==1.7.4 langchain-core==1.8.3 <<'PY'
import json

from langchain_openai import ChatOpenAI
from serve import Server, chunk, events, expect, tool_call

arguments = '{"account": "4711", "amount": 12'
call = tool_call("pay", arguments, "call_1")
(choice,) = call["choices"]
whole = call | {"choices": [{"index": 0, "message": choice["delta"] | {"role": "assistant"}, "finish_reason": "length"}]}


def message(body, kind, read):
    return read(ChatOpenAI(base_url=Server(body, kind).url, api_key="k", model="m", max_retries=0))


def stream(model):
    first, *rest = model.stream("Hi")
    return sum(rest, start=first)


streamed = message(events(call, chunk({}, "length")), "text/event-stream", stream)
at_once = message(json.dumps(whole).encode(), "application/json", lambda model: model.invoke("Hi"))
expect(
    {
        "stream, valid": [each["args"] for each in streamed.tool_calls],
        "stream, invalid": streamed.invalid_tool_calls,
        "whole, valid": at_once.tool_calls,
        "whole, invalid": [each["args"] for each in at_once.invalid_tool_calls],
    },
    {
        "stream, valid": [{"account": "4711", "amount": 12}],
        "stream, invalid": [],
        "whole, valid": [],
        "whole, invalid": [arguments],
    },
)
PY
run_python llama-index-llms-openai-like==0.8.1 llama-index-core==0.14.25 <<'PY'
import json

from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from serve import Server, chunk, events, expect, tool_call

call = tool_call("pay", '{"account": "4711", "amount": 12', "call_1")
(choice,) = call["choices"]
whole = call | {"choices": [{"index": 0, "message": choice["delta"] | {"role": "assistant"}, "finish_reason": "length"}]}


def pay(account: str, amount: int) -> str:
    """Pay an amount."""
    return "done"


def arguments(body, kind, read):
    options = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0}
    model = OpenAILike(model="m", api_base=Server(body, kind).url, api_key="k", **options)
    return [each.tool_kwargs for each in model.get_tool_calls_from_response(read(model))]


tools = [FunctionTool.from_defaults(pay)]
streamed = events(call, chunk({}, "length"))
expect(
    {
        "stream": arguments(streamed, "text/event-stream", lambda m: list(m.stream_chat_with_tools(tools, "Hi"))[-1]),
        "whole": arguments(json.dumps(whole).encode(), "application/json", lambda m: m.chat_with_tools(tools, "Hi")),
    },
    dict.fromkeys(["stream", "whole"], [{"account": "4711", "amount": 12}]),
)
PY
run_python 'pydantic-ai-slim[openai]==2.68.0' <<'PY'
import json

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import Server, chunk, events, expect, outcome, tool_call

call = tool_call("pay", '{"account": "4711", "amount": 12', "call_1")
(choice,) = call["choices"]
whole = call | {"choices": [{"index": 0, "message": choice["delta"] | {"role": "assistant"}, "finish_reason": "length"}]}


def run(body, kind, read):
    agent = Agent(OpenAIChatModel("m", provider=OpenAIProvider(base_url=Server(body, kind).url, api_key="k")))

    @agent.tool_plain
    def pay(account: str, amount: int) -> str:
        paid.append(amount)
        return "done"

    paid = []
    return outcome(lambda: read(agent)).split(":")[0], paid


streamed = events(call, chunk({}, "length"))
expect(
    {
        "stream": run(streamed, "text/event-stream", lambda agent: agent.run_stream_sync("Hi").get_output()),
        "whole": run(json.dumps(whole).encode(), "application/json", lambda agent: agent.run_sync("Hi").output),
    },
    {"stream": ("IncompleteToolCall", []), "whole": ("UnexpectedModelBehavior", [])},
)
PY
