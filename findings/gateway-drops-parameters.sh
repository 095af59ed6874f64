#!/usr/bin/env bash
# A gateway for many providers drops the parameters that its table of a provider lacks: `stop` is lost, with 200.
#
# Versions:  @portkey-ai/gateway 1.15.2 of npm with node 20.20.2; openai 3.57.0, anthropic 2.14.0 (PyPI).
# Input:     requests with parameters that the provider's own reference lists: `stop` and `response_format` for Mistral,
#            `stop` and `presence_penalty` for OpenRouter, `logit_bias` and `n` for Together, `effort` for Anthropic's
#            messages, and for a server of one's own behind `x-portkey-custom-host` vLLM's `top_k` and
#            `chat_template_kwargs`.
# Seen:      none of these reaches the service; `temperature`, sent with them, does. The answers are 200, without a
#            warning in headers or body.
# Matters:   an answer runs past its stop word and is billed to the end, JSON mode is off, thinking is on, and an
#            evaluation measures other settings than it records. Compare the request that arrives, once for each
#            provider.
. "$(dirname "$0")/lib/run.sh"
run_node @portkey-ai/gateway@1.15.2 </dev/null
run_python openai==3.57.0 anthropic==2.14.0 <<'PY'
import json
from pathlib import Path

from anthropic import Anthropic
from openai import OpenAI
from serve import MESSAGES, Gateway, Server, expect, message

choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
chat = Server(json.dumps(completion).encode(), "application/json")
messages = Server(json.dumps(message("Hi", {"input_tokens": 1, "output_tokens": 1})).encode(), "application/json")
program = Path(__file__).parent / "node_modules/@portkey-ai/gateway/build/start-server.js"
gateway = Gateway("node", str(program), "--headless", "--port={port}", ready="/")


def lost(server, fields):
    return [name for name in fields if name not in json.loads(server.bodies[-1])]


def ask(provider, **extra):
    headers = {"x-portkey-provider": provider, "x-portkey-custom-host": chat.url}
    client = OpenAI(base_url=gateway.url, api_key="k", max_retries=0, default_headers=headers)
    fields = {"temperature": 0.5, **extra}
    client.chat.completions.create(model="m", messages=MESSAGES, extra_body=fields)
    return lost(chat, fields)


def ask_anthropic():
    headers = {"x-portkey-provider": "anthropic", "x-portkey-custom-host": messages.url}
    client = Anthropic(base_url=gateway.root, api_key="k", max_retries=0, default_headers=headers)
    fields = {"temperature": 0.5, "output_config": {"effort": "low"}}
    client.messages.create(model="m", max_tokens=9, messages=MESSAGES, extra_body=fields)
    return lost(messages, fields)


expect(
    {
        "mistral-ai": ask("mistral-ai", stop=["END"], response_format={"type": "json_object"}),
        "openrouter": ask("openrouter", stop=["END"], presence_penalty=1.0),
        "together-ai": ask("together-ai", logit_bias={"50256": -100}, n=2, stop=["END"]),
        "openai, custom host": ask("openai", top_k=1, chat_template_kwargs={"enable_thinking": False}, stop=["END"]),
        "anthropic, messages": ask_anthropic(),
    },
    {
        "mistral-ai": ["stop", "response_format"],
        "openrouter": ["stop", "presence_penalty"],
        "together-ai": ["logit_bias", "n"],
        "openai, custom host": ["top_k", "chat_template_kwargs"],
        "anthropic, messages": ["output_config"],
    },
)
PY
