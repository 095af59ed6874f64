#!/usr/bin/env bash
# LiteLLM's proxy gives a stream that was cut off the end of a whole one: the finish reason `stop`, and [DONE].
#
# Versions:  litellm 1.108.7 with its extra proxy, which pip chooses where the one of 1.110.2 is not to be had; openai
#            3.57.0.
# Input:     a service that sends `ab` and ends the body, without a finish reason; then one that sends `ab` and an error
#            as `event: error` with `{"id": "server_error", "message": "boom"}`, the form of its other errors.
# Seen:      the client behind the proxy gets `ab`, `stop` and [DONE] in both cases; the error is nowhere. 1.110.2 sends
#            an error in both.
# Matters:   no client can tell half an answer by the stream any more. Behind such a proxy, whole responses and checks of
#            the content are what is left.
. "$(dirname "$0")/lib/run.sh"
run_python 'litellm[proxy]==1.108.7' openai==3.57.0 <<'PY'
import json
import sys
import tempfile
from pathlib import Path

from openai import OpenAI
from serve import MESSAGES, Gateway, Server, chunk, events, expect

beginning = chunk({"role": "assistant", "content": "ab"})
error = b'event: error\ndata: {"id": "server_error", "message": "boom"}\n\n'
services = {"cut": Server(events(beginning, end=b"")), "error": Server(events(beginning, end=error))}
models = [
    {"model_name": name, "litellm_params": {"model": "openai/m", "api_base": service.url, "api_key": "k"}}
    for name, service in services.items()
]
config = Path(tempfile.mkdtemp()) / "config.json"
config.write_text(json.dumps({"model_list": models}))
command = [str(Path(sys.executable).with_name("litellm")), "--config", str(config), "--port", "{port}"]
environ = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
proxy = Gateway(*command, "--host", "127.0.0.1", ready="/health/liveliness", environ=environ)


def ending(model):
    client = OpenAI(base_url=proxy.url, api_key="sk-any", max_retries=0)
    stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    choices = [each.choices[0] for each in stream]
    return "".join(each.delta.content or "" for each in choices), choices[-1].finish_reason


expect({"cut": ending("cut"), "error": ending("error")}, {"cut": ("ab", "stop"), "error": ("ab", "stop")})
PY
