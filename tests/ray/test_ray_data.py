"""Ray Data over several workers with one budget: the real Ray, on loopback. Run it with ``make test-ray``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from gradient_async.testing import Emulator
from tests.support.redis_server import run_redis_server

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: make test-ray")
COUNT, WORKERS = 300, 3
ROOT = Path(__file__).parents[2]


async def test_each_row_is_asked_once_and_nothing_is_refused() -> None:
    with run_redis_server(program="valkey-server") as redis:
        async with Emulator(limits=[(50, 3.0), (1000, 60.0)]) as gradient:
            modules = [ROOT / "examples", ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]  # for the workers, too
            environ = {
                "PYTHONPATH": os.pathsep.join(map(str, modules)),
                "GRADIENT_INFERENCE_ENDPOINT": gradient.url,
                "MODEL_ACCESS_KEY": "test",
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(Path(__file__).with_name("run_ray.py")),
                *(redis.url, str(COUNT), str(WORKERS)),
                env={**os.environ, **environ, "RAY_USAGE_STATS_ENABLED": "0"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()[-3000:]
            asked = Counter(request.json["messages"][0]["content"] for request in gradient.requests)
            refused = [request for request in gradient.requests if request.status == 429]
    assert json.loads(output.decode().splitlines()[-1]) == {"rows": COUNT, "ids": COUNT, "answered": True}
    assert asked == {f"Question {number}": 1 for number in range(COUNT)}
    assert refused == []
