#!/usr/bin/env bash
# A gateway written in JavaScript between a client and a server in Python rounds numbers: order 9007199254740993 is 992.
#
# Versions:  @portkey-ai/gateway 1.15.2 of npm with node 20.20.2; anthropic 2.14.0, openai 3.57.0 (PyPI).
# Input:     a message whose tool call has `"order": 9007199254740993`, one more than 2 to the power of 53; the call
#            with its result in the next request; a chat completion with that number as its seed.
# Seen:      behind the gateway the call, the history and the seed have 9007199254740992; directly, and in the arguments
#            of a chat completion, which are a text, the number is whole. RFC 8259, 6, warns that readers agree only on
#            integers up to there; a gateway that adds nothing to a body need not read it.
# Matters:   the tool of a Python program gets the id of another order, and nothing fails. Ids in tools are strings; a
#            proxy hands on the bytes that it got.
. "$(dirname "$0")/lib/run.sh"
run_node @portkey-ai/gateway@1.15.2 </dev/null
run_python anthropic==2.14.0 openai==3.57.0 <<'PY'
import json
from pathlib import Path

from anthropic import Anthropic
from openai import OpenAI
from serve import MESSAGES, Gateway, Server, expect, message

ORDER = 2**53 + 1
call = {"type": "tool_use", "id": "call_1", "name": "refund", "input": {"order": ORDER}}
answer = message("", {"input_tokens": 1, "output_tokens": 1}) | {"content": [call], "stop_reason": "tool_use"}
messages = Server(json.dumps(answer).encode(), "application/json")
function = {"name": "refund", "arguments": json.dumps(call["input"])}
calls = [{"id": "call_1", "type": "function", "function": function}]
said = {"role": "assistant", "content": None, "tool_calls": calls}
choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
chat = Server(json.dumps(completion).encode(), "application/json")
program = Path(__file__).parent / "node_modules/@portkey-ai/gateway/build/start-server.js"
gateway = Gateway("node", str(program), "--headless", "--port={port}", ready="/")
result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "done"}]}
history = [*MESSAGES, {"role": "assistant", "content": [call]}, result]


def ask_messages(root):
    headers = {"x-portkey-provider": "anthropic", "x-portkey-custom-host": messages.url}
    client = Anthropic(base_url=root, api_key="k", max_retries=0, default_headers=headers)
    got = client.messages.create(model="m", max_tokens=9, messages=history).content[0].input["order"]
    return got, json.loads(messages.bodies[-1])["messages"][1]["content"][0]["input"]["order"]


def ask_chat(url):
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": chat.url}
    client = OpenAI(base_url=url, api_key="k", max_retries=0, default_headers=headers)
    got = client.chat.completions.create(model="m", messages=MESSAGES, seed=ORDER).choices[0].message
    return json.loads(got.tool_calls[0].function.arguments)["order"], json.loads(chat.bodies[-1])["seed"]


expect(
    {
        "messages, direct": ask_messages(messages.root),
        "messages, gateway": ask_messages(gateway.root),
        "chat, direct": ask_chat(chat.url),
        "chat, gateway": ask_chat(gateway.url),
    },
    {
        "messages, direct": (ORDER, ORDER),
        "messages, gateway": (ORDER - 1, ORDER - 1),
        "chat, direct": (ORDER, ORDER),
        "chat, gateway": (ORDER, ORDER - 1),
    },
)
PY
