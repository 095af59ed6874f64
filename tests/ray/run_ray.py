"""Runs the example of Ray Data on loopback, as a program of its own; prints what came of it as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter

import ray
from ray_data import ask_rows  # type: ignore[import-not-found, unused-ignore]  # the example, a script

from gradient_async import RateLimits


def main(redis_url: str, count: int, workers: int) -> None:
    ray.init(num_cpus=workers + 1, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    rows = ray.data.from_items([{"id": number, "question": f"Question {number}"} for number in range(count)])
    limits = RateLimits(windows=[(50, 3.0), (1000, 60.0)])
    answered = ask_rows(rows.repartition(workers * 4), redis_url, workers=workers, limits=limits).take_all()
    ids = Counter(row["id"] for row in answered)
    right = all(row["answer"] and not row["error"] for row in answered)
    sys.stdout.write("\n" + json.dumps({"rows": len(answered), "ids": len(ids), "answered": right}) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
