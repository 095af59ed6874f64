#!/usr/bin/env bash
# anthropic's SDK reads the `event:` line only: the same stream without it is an empty answer, and a bare AssertionError.
#
# Versions:  anthropic 2.14.0.
# Input:     a whole messages stream, once with and once without its `event:` lines. Every data has its `type`.
# Seen:      with them the text; without them get_final_message() raises an AssertionError without a message, although
#            all events arrived.
# Matters:   gateways that rewrite SSE drop the names, which are redundant. The type in the data decides.
. "$(dirname "$0")/lib/run.sh"
run_python anthropic==2.14.0 <<'PY'
import json

from anthropic import Anthropic
from serve import MESSAGES, Server, expect, outcome

message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None}
stream = [
    {"type": "message_start", "message": message | {"usage": {"input_tokens": 1, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]


def final_text(*, names):
    lines = [(f"event: {event['type']}\n" if names else "") + f"data: {json.dumps(event)}\n\n" for event in stream]
    client = Anthropic(base_url=Server("".join(lines).encode()).root, api_key="k", max_retries=0)
    with client.messages.stream(model="m", messages=MESSAGES, max_tokens=9) as messages:
        return messages.get_final_message().content[0].text


expect(
    {"with names": final_text(names=True), "without names": outcome(lambda: final_text(names=False))},
    {"with names": "Hello", "without names": "AssertionError:"},
)
PY
