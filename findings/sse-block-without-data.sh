#!/usr/bin/env bash
# A block of `retry:` or `id:` alone, which the standard tells readers to take in silence, breaks openai's stream.
#
# Versions:  openai 3.3.0, httpx-sse 0.4.3, sseclient-py 1.9.0.
# Input:     `retry: 3000`, an empty line, then an ordinary stream. The HTML standard (server-sent events, "dispatch the
#            event") says that a block without data makes no event.
# Seen:      openai raises a JSONDecodeError before the first chunk; httpx-sse reports an event with empty data;
#            sseclient-py reports none.
# Matters:   proxies and SSE servers send such blocks first, to set the time for reconnecting.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.3.0 httpx-sse==0.4.3 httpx==0.28.1 sseclient-py==1.9.0 requests==2.32.5 <<'PY'
import httpx
import httpx_sse
import requests
import sseclient
from openai import OpenAI
from serve import MESSAGES, Server, chunk, events, expect, outcome

body = b"retry: 3000\n\n" + events(chunk({"content": "a"}), chunk({}, "stop"))
url = Server(body).url


def openai_text():
    client = OpenAI(base_url=url, api_key="k", max_retries=0)
    chunks = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    return [each.choices[0].delta.content for each in chunks]


def httpx_events():
    with httpx.Client() as client, httpx_sse.connect_sse(client, "POST", url) as source:
        return len([event.data for event in source.iter_sse()])


expect(
    {
        "openai": outcome(openai_text),
        "httpx-sse, events": httpx_events(),
        "sseclient-py, events": len(list(sseclient.SSEClient(requests.post(url, stream=True)).events())),
    },
    {
        "openai": "JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "httpx-sse, events": 4,
        "sseclient-py, events": 3,
    },
)
PY
