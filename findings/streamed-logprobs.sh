#!/usr/bin/env bash
# The log probabilities that were asked for and sent are None when the answer is a stream, in three of four libraries.
#
# Versions:  litellm 1.110.2, autogen-ext 0.7.5; llama-index-llms-openai-like 0.8.1 with llama-index-core 0.14.25,
#            langchain-openai 1.7.4 with langchain-core 1.8.3.
# Input:     `logprobs=True`; two chunks with a token each and its log probability, then `stop`; and the same as a whole
#            response.
# Seen:      the response has both in every library. Of the stream, the completion of LiteLLM's stream_chunk_builder,
#            AutoGen's result and LlamaIndex's last response have none, though the chunks had them. LangChain has both.
# Matters:   scores and thresholds of confidence find nothing, which looks like a server that does not support them.
#            Lists of logprobs grow with the text they belong to.
. "$(dirname "$0")/lib/run.sh"
run_python litellm==1.110.2 'autogen-ext[openai]==0.7.5' <<'PY'
import asyncio

import litellm
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from serve import MESSAGES, expect, serve_logprobs

litellm.suppress_debug_info = True
stream, whole = serve_logprobs("One", " two")
able = {"vision": False, "function_calling": True, "json_output": True, "structured_output": True, "family": "unknown"}


def tokens(logprobs):
    return logprobs and [each.token for each in logprobs]


def ask_litellm(url, **options):
    return litellm.completion("openai/m", MESSAGES, api_base=url, api_key="k", logprobs=True, max_retries=0, **options)


def litellm_stream():
    logprobs = getattr(litellm.stream_chunk_builder(list(ask_litellm(stream, stream=True))).choices[0], "logprobs", None)
    return logprobs and tokens(logprobs.content)


def autogen(url):
    options = {"base_url": url, "api_key": "k", "max_retries": 0, "model_info": able, "logprobs": True}
    return OpenAIChatCompletionClient(model="m", **options)


async def autogen_tokens():
    question = [UserMessage(content="Hi", source="u")]
    at_once = await autogen(whole).create(question)
    async for result in autogen(stream).create_stream(question):
        pass
    return tokens(at_once.logprobs), tokens(result.logprobs)


expect(
    {
        "litellm": (tokens(ask_litellm(whole).choices[0].logprobs.content), litellm_stream()),
        "autogen": asyncio.run(autogen_tokens()),
    },
    dict.fromkeys(["litellm", "autogen"], (["One", " two"], None)),
)
PY
run_python llama-index-llms-openai-like==0.8.1 llama-index-core==0.14.25 langchain-openai==1.7.4 langchain-core==1.8.3 <<'PY'
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from serve import expect, serve_logprobs

stream, whole = serve_logprobs("One", " two")


def llama_index(url):
    options = {"is_chat_model": True, "max_retries": 0, "logprobs": True, "top_logprobs": 1}
    return OpenAILike(model="m", api_base=url, api_key="k", **options)


def llama_index_tokens():
    question = [ChatMessage(role="user", content="Hi")]
    *_, last = llama_index(stream).stream_chat(question)
    return [each.token for (each,) in llama_index(whole).chat(question).logprobs], last.logprobs


def langchain(url):
    return ChatOpenAI(base_url=url, api_key="k", model="m", max_retries=0, logprobs=True)


def langchain_tokens():
    first, *rest = langchain(stream).stream("Hi")
    messages = langchain(whole).invoke("Hi"), sum(rest, start=first)
    return tuple([each["token"] for each in message.response_metadata["logprobs"]["content"]] for message in messages)


both = ["One", " two"]
expect(
    {"llama-index": llama_index_tokens(), "langchain": langchain_tokens()},
    {"llama-index": (both, None), "langchain": (both, both)},
)
PY
