"""Instruments that sessions in several threads share."""

from __future__ import annotations

import threading
from typing import Any

import attrs
from opentelemetry.context import Context
from opentelemetry.metrics import NoOpMeter

from gradient_async.integrations.otel.instruments import Instruments

ATTRIBUTES = {"gen_ai.operation.name": "chat"}


class SlowMeter(NoOpMeter):
    """A meter that creates a counter when another thread has asked for the same one, or waits for it."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.created: list[str] = []
        self.other = threading.Thread()

    def create_counter(self, name: str, *args: Any, **options: Any) -> Any:
        self.created.append(name)
        if len(self.created) == 1:
            self.other.start()
            self.other.join(0.05)
        return super().create_counter(name, *args, **options)


@attrs.define
class Recorder:
    """Records a call with one input token."""

    instruments: Instruments

    def __call__(self) -> None:
        self.instruments.record_call(1.0, None, {"input_tokens": 1}, ATTRIBUTES, Context())


def test_two_threads_at_once_create_a_counter_once() -> None:
    meter = SlowMeter()
    record = Recorder(Instruments(meter))
    meter.other = threading.Thread(target=record)
    record()
    meter.other.join()
    assert meter.created == ["gen_ai.client.inference.usage.input_tokens"]
