#!/usr/bin/env bash
# A refusal that is streamed is an empty answer with the finish reason `stop` in three of four frameworks.
#
# Versions:  langchain-openai 1.7.4 with langchain-core 1.8.3, pydantic-ai-slim 2.68.0, haystack-ai 3.4.1 with openai
#            3.57.0, llama-index-llms-openai-like 0.8.1 with llama-index-core 0.14.25.
# Input:     two chunks with the text in `delta.refusal`, which models send in the place of `content`, then `stop`.
# Seen:      LangChain, Haystack and LlamaIndex return no text, and "I cannot." is nowhere in the message. Pydantic AI
#            keeps it, and calls the finish `content_filter`.
# Matters:   nothing is told from a model that had nothing to say: it is stored, scored and cached, or asked again for
#            money. A refusal is a field of the message of its own.
. "$(dirname "$0")/lib/run.sh"
run_python langchain-openai==1.7.4 langchain-core==1.8.3 'pydantic-ai-slim[openai]==2.68.0' <<'PY'
import asyncio

from langchain_openai import ChatOpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from serve import Server, chunk, events, expect

refusal = [chunk({"role": "assistant", "refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop")]
url = Server(events(*refusal)).url


def langchain_message():
    first, *rest = ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0).stream("Hi")
    message = sum(rest, start=first)
    return message.content, message.response_metadata["finish_reason"], "I cannot." in repr(message)


async def pydantic_response():
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    async with model_request_stream(model, [ModelRequest.user_text_prompt("Hi")]) as stream:
        async for _ in stream:
            pass
        response = stream.get()
    return response.text, response.finish_reason, "I cannot." in repr(response)


expect(
    {"langchain": langchain_message(), "pydantic-ai": asyncio.run(pydantic_response())},
    {"langchain": ("", "stop", False), "pydantic-ai": (None, "content_filter", True)},
)
PY
run_python haystack-ai==3.4.1 openai==3.57.0 <<'PY'
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from serve import Server, chunk, events, expect

refusal = [chunk({"role": "assistant", "refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop")]
options = {"api_base_url": Server(events(*refusal)).url, "model": "m", "streaming_callback": lambda piece: None}
generator = OpenAIChatGenerator(api_key=Secret.from_token("k"), max_retries=0, **options)
(reply,) = generator.run([ChatMessage.from_user("Hi")])["replies"]
seen = reply.text, reply.meta["finish_reason"], "I cannot." in repr(reply)
expect({"haystack": seen}, {"haystack": (None, "stop", False)})
PY
run_python llama-index-llms-openai-like==0.8.1 llama-index-core==0.14.25 <<'PY'
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from serve import Server, chunk, events, expect

refusal = [chunk({"role": "assistant", "refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop")]
url = Server(events(*refusal)).url
model = OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True, max_retries=0)
*_, last = model.stream_chat([ChatMessage(role="user", content="Hi")])
expect({"llama-index": (last.message.content, "I cannot." in repr(last.message))}, {"llama-index": ("", False)})
PY
