#!/usr/bin/env bash
# An error as JSON with status 200 where a stream was due: nobody shows its message, one invents a finish.
#
# Versions:  openai 3.3.0, anthropic 2.14.0, langchain-openai 1.7.4, litellm 1.110.2.
# Input:     200, application/json, {"error": {"message": "quota exceeded", "code": 429}}, as gateways answer that have
#            sent their status before the model refuses.
# Seen:      iterating openai's stream yields nothing and ends; the stream helpers of openai and anthropic raise an
#            AssertionError without a message; LangChain says that no chunks were returned; LiteLLM yields a chunk with
#            the finish reason `stop`. "quota exceeded" is nowhere to be seen.
# Matters:   an empty answer that looks finished is stored as one. The media type and the first bytes tell.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.3.0 anthropic==2.14.0 langchain-openai==1.7.4 litellm==1.110.2 <<'PY'
import json

import litellm
from anthropic import Anthropic
from langchain_openai import ChatOpenAI
from openai import OpenAI
from serve import MESSAGES, Server, expect, outcome

litellm.suppress_debug_info = True
error = {"error": {"message": "quota exceeded", "code": 429}}
server = Server(json.dumps(error).encode(), "application/json")
client = OpenAI(base_url=server.url, api_key="k", max_retries=0)


def helper():
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        return stream.until_done().get_final_completion()


def anthropic_helper():
    client = Anthropic(base_url=server.root, api_key="k", max_retries=0)
    with client.messages.stream(model="m", messages=MESSAGES, max_tokens=9) as stream:
        return stream.get_final_message()


def litellm_chunks():
    chunks = litellm.completion("openai/m", MESSAGES, api_base=server.url, api_key="k", stream=True, max_retries=0)
    return [(each.choices[0].delta.content, each.choices[0].finish_reason) for each in chunks]


def langchain_chunks():
    return list(ChatOpenAI(base_url=server.url, api_key="k", model="m", max_retries=0).stream("Hi"))


expect(
    {
        "openai": outcome(lambda: list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))),
        "openai, helper": outcome(helper),
        "anthropic, helper": outcome(anthropic_helper),
        "langchain": outcome(langchain_chunks),
        "litellm": outcome(litellm_chunks),
    },
    {
        "openai": [],
        "openai, helper": "AssertionError:",
        "anthropic, helper": "AssertionError:",
        "langchain": "ValueError: No generation chunks were returned",
        "litellm": [(None, "stop")],
    },
)
PY
