#!/usr/bin/env bash
# OpenTelemetry's instrumentation of openai installs without complaint and cannot be imported, for two reasons in a row.
#
# Versions:  opentelemetry-instrumentation-openai-v2 2.4b0 with opentelemetry-util-genai 1.3b0, which its own metadata
#            admits and pip chooses; openai 3.3.0; httpx 0.28.1.
# Seen:      importing OpenAIInstrumentor raises ModuleNotFoundError for httpx, which openai brings no longer since
#            version 3; with httpx installed, for opentelemetry.util.genai.instruments.
# Matters:   the client, the conventions for GenAI and the instrumentation move apart; all three have to be pinned.
. "$(dirname "$0")/lib/run.sh"
run_python opentelemetry-instrumentation-openai-v2==2.4b0 opentelemetry-util-genai==1.3b0 openai==3.3.0 <<'PY'
from serve import expect, outcome


def load():
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    return OpenAIInstrumentor


expect({"import": outcome(load)}, {"import": "ModuleNotFoundError: No module named 'httpx'"})
PY
run_python httpx==0.28.1 <<'PY'
from serve import expect, outcome


def load():
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    return OpenAIInstrumentor


error = "ModuleNotFoundError: No module named 'opentelemetry.util.genai.instruments'"
expect({"import, with httpx": outcome(load)}, {"import, with httpx": error})
PY
