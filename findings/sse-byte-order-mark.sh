#!/usr/bin/env bash
# A byte order mark before a stream costs its first event in four parsers; the standard says to skip it.
#
# Versions:  openai 3.3.0, anthropic 2.14.0, httpx-sse 0.4.3, sseclient-py 1.9.0.
# Input:     EF BB BF, then the events `1` and `2`. The HTML standard decodes a stream as UTF-8, which drops the mark.
# Seen:      all four return only `2`: they take the first line for a field named U+FEFF `data`.
# Matters:   the first event often carries the role, the id or the beginning of the text, and its loss is silent.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.3.0 anthropic==2.14.0 httpx-sse==0.4.3 httpx==0.28.1 sseclient-py==1.9.0 requests==2.32.5 <<'PY'
import anthropic._streaming
import httpx
import httpx_sse
import openai._streaming
import requests
import sseclient
from serve import Server, expect

body = b"\xef\xbb\xbfdata: 1\n\ndata: 2\n\n"
url = Server(body).url


def httpx_data():
    with httpx.Client() as client, httpx_sse.connect_sse(client, "POST", url) as source:
        return [event.data for event in source.iter_sse()]


expect(
    {
        "openai": [event.data for event in openai._streaming.SSEDecoder().iter_bytes(iter([body]))],
        "anthropic": [event.data for event in anthropic._streaming.SSEDecoder().iter_bytes(iter([body]))],
        "httpx-sse": httpx_data(),
        "sseclient-py": [event.data for event in sseclient.SSEClient(requests.post(url, stream=True)).events()],
    },
    dict.fromkeys(["openai", "anthropic", "httpx-sse", "sseclient-py"], ["2"]),
)
PY
