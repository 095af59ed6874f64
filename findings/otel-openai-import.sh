#!/usr/bin/env bash
# OpenTelemetry's instrumentation of openai installs without complaint and cannot be imported.
#
# Versions:  opentelemetry-instrumentation-openai-v2 2.4b0 with opentelemetry-util-genai 1.3b0, which its own metadata
#            admits and pip chooses.
# Seen:      importing OpenAIInstrumentor raises ModuleNotFoundError: no module opentelemetry.util.genai.instruments.
# Matters:   the conventions for GenAI and their helpers move apart from the instrumentations; both have to be pinned
#            together.
. "$(dirname "$0")/lib/run.sh"
run_python opentelemetry-instrumentation-openai-v2==2.4b0 opentelemetry-util-genai==1.3b0 openai==3.3.0 <<'PY'
from serve import expect, outcome


def load():
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    return OpenAIInstrumentor


error = "ModuleNotFoundError: No module named 'opentelemetry.util.genai.instruments'"
expect({"import": outcome(load)}, {"import": error})
PY
