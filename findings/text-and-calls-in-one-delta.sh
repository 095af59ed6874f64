#!/usr/bin/env bash
# A delta with a text and two tool calls: one framework keeps the text alone, one the first call, one raises.
#
# Versions:  autogen-ext 0.7.5, haystack-ai 3.4.1 with openai 3.57.0; llama-index-llms-openai-like 0.8.1 with
#            llama-index-core 0.14.25; langchain-openai 1.7.4, pydantic-ai-slim 2.68.0.
# Input:     a whole answer as one chunk, as gateways send it that only pretend to stream, then the finish reason: the text
#            `Let me look.` and the calls f and g, with the indexes 0 and 1.
# Seen:      AutoGen returns the text, with the finish reason `function_calls`, and no call. LlamaIndex returns the text
#            and f: of each delta it looks at the first call only. Haystack raises a ValueError. LangChain and Pydantic
#            AI return all three.
# Matters:   an agent takes the text for its result and stops, or does half of its work. Every field of a delta counts,
#            and every item of its lists.
. "$(dirname "$0")/lib/run.sh"
run_python 'autogen-ext[openai]==0.7.5' haystack-ai==3.4.1 openai==3.57.0 <<'PY'
import asyncio

from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from serve import Server, chunk, events, expect, outcome, text_and_calls

url = Server(events(text_and_calls("Let me look.", "f", "g"), chunk({}, "tool_calls"))).url


async def ask_autogen():
    able = {"vision": False, "function_calling": True, "json_output": True, "structured_output": True}
    options = {"base_url": url, "api_key": "k", "max_retries": 0, "model_info": able | {"family": "unknown"}}
    async for result in OpenAIChatCompletionClient(model="m", **options).create_stream([UserMessage(content="Hi", source="u")]):
        pass
    return result.content, result.finish_reason, result.thought


def ask_haystack():
    options = {"api_base_url": url, "model": "m", "streaming_callback": lambda piece: None}
    generator = OpenAIChatGenerator(api_key=Secret.from_token("k"), max_retries=0, **options)
    (reply,) = generator.run([ChatMessage.from_user("Hi")])["replies"]
    return reply.text, [call.tool_name for call in reply.tool_calls]


expect(
    {"autogen": asyncio.run(ask_autogen()), "haystack": outcome(ask_haystack).partition(" of ")[0]},
    {"autogen": ("Let me look.", "function_calls", None), "haystack": "ValueError: Only one"},
)
PY
run_python llama-index-llms-openai-like==0.8.1 llama-index-core==0.14.25 langchain-openai==1.7.4 <<'PY'
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from serve import Server, chunk, events, expect, text_and_calls

url = Server(events(text_and_calls("Let me look.", "f", "g"), chunk({}, "tool_calls"))).url


def ask_llama_index():
    options = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0}
    model = OpenAILike(model="m", api_base=url, api_key="k", **options)
    *_, last = model.stream_chat([ChatMessage(role="user", content="Hi")])
    return last.message.content, [call.tool_name for call in model.get_tool_calls_from_response(last)]


def ask_langchain():
    first, *rest = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0).stream("Hi")
    message = sum(rest, start=first)
    return message.content, [call["name"] for call in message.tool_calls]


expect(
    {"llama-index": ask_llama_index(), "langchain": ask_langchain()},
    {"llama-index": ("Let me look.", ["f"]), "langchain": ("Let me look.", ["f", "g"])},
)
PY
run_python 'pydantic-ai-slim[openai]==2.68.0' <<'PY'
import asyncio

from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import Server, chunk, events, expect, text_and_calls

url = Server(events(text_and_calls("Let me look.", "f", "g"), chunk({}, "tool_calls"))).url


async def ask():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for _ in stream:
            pass
        response = stream.get()
    return response.text, [call.tool_name for call in response.tool_calls]


expect({"pydantic-ai": asyncio.run(ask())}, {"pydantic-ai": ("Let me look.", ["f", "g"])})
PY
