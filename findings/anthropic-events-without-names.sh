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
from anthropic import Anthropic
from serve import MESSAGES, Server, expect, message_events, outcome


def final_text(*, names):
    stream = message_events("Hello", {"input_tokens": 1, "output_tokens": 1}, {"output_tokens": 3}, names=names)
    client = Anthropic(base_url=Server(stream).root, api_key="k", max_retries=0)
    with client.messages.stream(model="m", messages=MESSAGES, max_tokens=9) as messages:
        return messages.get_final_message().content[0].text


expect(
    {"with names": final_text(names=True), "without names": outcome(lambda: final_text(names=False))},
    {"with names": "Hello", "without names": "AssertionError:"},
)
PY
