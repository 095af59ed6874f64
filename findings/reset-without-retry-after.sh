#!/usr/bin/env bash
# A 429 that says when the quota is free again, but in no Retry-After: five SDKs send three requests before that.
#
# Versions:  openai 3.57.0, anthropic 2.14.0, groq 1.7.0, together 3.1.1, cohere 7.3.1.
# Input:     a 429 with `x-ratelimit-remaining-requests: 0` and `x-ratelimit-reset-requests`, a second of the clock 20 s
#            ahead, as DigitalOcean refuses for a model's quota; then with `x-ratelimit-reset: ...`, without `-requests`, of
#            4 s ahead; then with `Retry-After: 4`. Default settings.
# Seen:      all five give up within five seconds, after three requests that could not be answered. Only cohere reads a
#            reset, and only under the second name; a Retry-After is waited for by all.
# Matters:   each of them may count against the quota, and a user sees an error for a wait that was announced. Every
#            header that names the time is read, and the wait is made or the error tells its seconds.
. "$(dirname "$0")/lib/run.sh"
run_python openai==3.57.0 anthropic==2.14.0 groq==1.7.0 together==3.1.1 cohere==7.3.1 <<'PY'
import concurrent.futures
import contextlib
import http.server
import threading
import time

import anthropic
import cohere
import groq
import openai
import together
from cohere.core import ApiError
from serve import MESSAGES, expect

REFUSAL = b'{"error": {"message": "slow down", "type": "rate_limit_error"}}'


def refuse(headers):
    starts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            starts.append(time.monotonic())
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(429)
            for name, value in (headers() | {"content-type": "application/json"}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(REFUSAL)

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", starts


def clock(seconds):
    return str(int(time.time()) + seconds + 1)


refusals = {
    "reset-requests": lambda: {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": clock(20)},
    "reset": lambda: {"x-ratelimit-remaining": "0", "x-ratelimit-reset": clock(4)},
    "retry-after": lambda: {"retry-after": "4"},
}


def chat(make):
    return lambda root: make(base_url=f"{root}/v1", api_key="k").chat.completions.create(model="m", messages=MESSAGES)


def messages(root):
    anthropic.Anthropic(base_url=root, api_key="k").messages.create(model="m", max_tokens=9, messages=MESSAGES)


def cohere_chat(root):
    cohere.ClientV2(base_url=root, api_key="k").chat(model="m", messages=MESSAGES)


calls = {
    "openai": chat(openai.OpenAI),
    "anthropic": messages,
    "groq": chat(groq.Groq),
    "together": chat(together.Together),
    "cohere": cohere_chat,
}


def try_call(call, headers):
    root, starts = refuse(headers)
    with contextlib.suppress(openai.APIError, anthropic.APIError, groq.APIError, together.APIError, ApiError):
        call(root)
    return len(starts), "waits" if starts[-1] - starts[0] > 6 else "does not wait"


with concurrent.futures.ThreadPoolExecutor(15) as pool:
    tries = {name: [pool.submit(try_call, call, refusal) for refusal in refusals.values()] for name, call in calls.items()}
    seen = {name: [each.result() for each in three] for name, three in tries.items()}
deaf = [(3, "does not wait"), (3, "does not wait"), (3, "waits")]
expect(seen, dict.fromkeys(calls, deaf) | {"cohere": [(3, "does not wait"), (3, "waits"), (3, "waits")]})
PY
