#!/usr/bin/env bash
# LiteLLM's cache answers with what was said under other settings, or by another server; LangChain's asks again.
#
# Versions:  litellm 1.110.2 (with fastapi 0.165.0, orjson 3.13.0 and soundfile 0.14.0), langchain-openai 1.7.4.
# Input:     one request in a cache in memory, then the same with another temperature, with a switch for thinking or a
#            `top_k` in `extra_body`, with `min_p`, and at another base URL.
# Seen:      LiteLLM sends again for the temperature alone. Without the three packages, which it does not install, its
#            first call works and the same one a second time raises ModuleNotFoundError.
# Matters:   parameters of a server's own go through `extra_body`: an experiment with them compares one answer with
#            itself. A key has to be made of everything that is sent, and of where it goes.
. "$(dirname "$0")/lib/run.sh"
run_python litellm==1.110.2 <<'PY'
import json

import litellm
from litellm.caching.caching import Cache
from serve import MESSAGES, Server, expect, outcome

litellm.suppress_debug_info = True
message = {"role": "assistant", "content": "Hello"}
usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
completion["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
url = Server(json.dumps(completion).encode(), "application/json").url
litellm.cache = Cache(type="local")


def ask():
    return litellm.completion("openai/m", MESSAGES, api_base=url, api_key="k", max_retries=0).choices[0].message.content


expect(
    {"litellm, first": outcome(ask), "litellm, again": outcome(ask)},
    {"litellm, first": "Hello", "litellm, again": "ModuleNotFoundError: No module named 'fastapi'"},
)
PY
run_python fastapi==0.165.0 orjson==3.13.0 soundfile==0.14.0 langchain-openai==1.7.4 <<'PY'
import json

import litellm
from langchain_core.caches import InMemoryCache
from langchain_openai import ChatOpenAI
from litellm.caching.caching import Cache
from serve import MESSAGES, Server, expect

litellm.suppress_debug_info = True
message = {"role": "assistant", "content": "Hello"}
usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
completion["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
servers = [Server(json.dumps(completion).encode(), "application/json") for _ in range(2)]
urls = [server.url for server in servers]
litellm.cache = Cache(type="local")
cache = InMemoryCache()


def with_litellm(api_base=urls[0], **settings):
    litellm.completion("openai/m", MESSAGES, api_base=api_base, api_key="k", max_retries=0, **settings)


def with_langchain(base_url=urls[0], **settings):
    ChatOpenAI(model="m", base_url=base_url, api_key="k", max_retries=0, cache=cache, **settings).invoke("Hi")


def requests_for(ask, **settings):
    before = sum(len(server.bodies) for server in servers)
    ask(**settings)
    return sum(len(server.bodies) for server in servers) - before


no_thinking = {"chat_template_kwargs": {"enable_thinking": False}}
litellm_cases = {
    "first": {},
    "the same": {},
    "temperature": {"temperature": 0.5},
    "thinking off": {"extra_body": no_thinking},
    "top_k": {"extra_body": {"top_k": 1}},
    "min_p": {"min_p": 0.1},
    "other server": {"api_base": urls[1]},
}
langchain_cases = litellm_cases | {"min_p": {"extra_body": {"min_p": 0.1}}, "other server": {"base_url": urls[1]}}
expect(
    {
        "litellm": {name: requests_for(with_litellm, **settings) for name, settings in litellm_cases.items()},
        "langchain": {name: requests_for(with_langchain, **settings) for name, settings in langchain_cases.items()},
    },
    {
        "litellm": dict.fromkeys(litellm_cases, 0) | {"first": 1, "temperature": 1},
        "langchain": dict.fromkeys(langchain_cases, 1) | {"the same": 0},
    },
)
PY
