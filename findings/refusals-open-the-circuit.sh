#!/usr/bin/env bash
# SGLang's router sends a refused request five times within a second, and after two of them refuses everybody's.
#
# Versions:  sglang-router 0.3.2, with its defaults.
# Input:     two chat completions that its one worker refuses with 429 and `Retry-After: 1`; then the worker answers again.
# Seen:      the worker gets ten requests in a second or so. The third call is answered with 503 `no_available_workers` by
#            the router, and the worker does not see it: a 429 counts as a failure of the worker, ten open its circuit.
# Matters:   one caller's rate limit is an outage for all, of a minute by default, and without a Retry-After. A 503 of a
#            gateway is not the service's: do not send again at once what it has multiplied already.
. "$(dirname "$0")/lib/run.sh"
run_python sglang-router==0.3.2 <<'PY'
import json
import sys

from serve import Gateway, Server, expect, post

refusal = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limited"}}
worker = Server(json.dumps(refusal).encode(), "application/json", status=429, headers={"retry-after": "1"})
launch = [sys.executable, "-m", "sglang_router.launch_router", "--host", "127.0.0.1", "--port", "{port}"]
router = Gateway(*launch, "--worker-urls", worker.root, ready="/readiness")
statuses = [post(router.url)[0], post(router.url)[0]]
arrived = len(worker.bodies)
worker.status = 200
status, body = post(router.url)
expect(
    {
        "refused": statuses,
        "requests at the worker": arrived,
        "then": (status, json.loads(body).get("error", {}).get("code")),
        "more at the worker": len(worker.bodies) - arrived,
    },
    {"refused": [429, 429], "requests at the worker": 10, "then": (503, "no_available_workers"), "more at the worker": 0},
)
PY
