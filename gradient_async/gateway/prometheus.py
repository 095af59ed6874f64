"""The counts of the gateway as Prometheus text.

Contract: pure.
Source: text format 0.0.4 of the Prometheus documentation.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradient_async._protocol.rate_limit.status import LimiterStatus
from gradient_async.gateway.statistics import Statistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "gradient_proxy"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

_Sample = tuple[dict[str, object], float]


def format_metrics(statistics: Statistics, status: LimiterStatus | None) -> str:
    """Return all metrics; those of the limiter are left out without one."""
    families = [*_list_requests(statistics), *([] if status is None else _list_limits(status))]
    return "".join(_format_family(*family) for family in families)


def _list_requests(statistics: Statistics) -> Iterator[tuple[str, str, str, list[_Sample]]]:
    models = statistics.models.items()
    yield (
        *("requests_total", "counter", "Requests that have ended, by model and status; 499: the caller left."),
        [({"model": name, "status": code}, n) for name, counts in models for code, n in counts.statuses.items()],
    )
    yield (
        *("tokens_total", "counter", "Model tokens that responses stated."),
        [
            ({"model": name, "direction": direction}, count)
            for name, counts in models
            for direction, count in (("input", counts.input_tokens), ("output", counts.output_tokens))
        ],
    )
    for name, text, attribute in (
        ("request_seconds_total", "Duration of all requests, to their last byte.", "seconds"),
        ("limiter_wait_seconds_total", "Time of all requests at the limiter.", "limiter_wait"),
    ):
        yield name, "counter", text, [({"model": model}, getattr(counts, attribute)) for model, counts in models]
    yield "running", "gauge", "Requests under way, waiting ones included.", [({}, statistics.running)]


def _list_limits(status: LimiterStatus) -> Iterator[tuple[str, str, str, list[_Sample]]]:
    yield "queued", "gauge", "Requests that wait at the limiter.", [({}, status.queued)]
    pause = 0.0 if status.paused_until is None else max(0.0, status.paused_until - status.now)
    yield "paused_seconds", "gauge", "Seconds until the limiter sends again; 0 without a pause.", [({}, pause)]
    for name, text in (
        ("capacity", "Requests that a window allows."),
        ("used", "Requests in a window."),
        ("foreign", "Requests in a window that others sent with the same key."),
    ):
        samples: list[_Sample] = [
            ({"seconds": f"{window.period:g}"}, getattr(window, name)) for window in status.windows
        ]
        yield f"window_{name}", "gauge", text, samples


def _format_family(name: str, kind: str, text: str, samples: list[_Sample]) -> str:
    full = f"{_PREFIX}_{name}"
    lines = [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
    lines += [f"{full}{_format_labels(labels)} {value:.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _format_labels(labels: dict[str, object]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items()) + "}"
