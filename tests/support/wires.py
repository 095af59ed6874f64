"""Small streams after kinds that were seen on real wires, and the result that each stands for: ``tests/wires``.

A file holds the streams of one API. Each has a name, the reason for its result, its events, and the outcome, error class
and snapshot of the stream. An event is the JSON data of a frame, or text that is sent as it is. A snapshot leaves out
null and `DEFAULTS`.
"""

import json
from pathlib import Path
from typing import Any, Literal

import attrs

from gradient_async.models import Model

Api = Literal["chat", "messages", "responses"]
APIS: tuple[Api, ...] = ("chat", "messages", "responses")
DEFAULTS: dict[Api, dict[str, Any]] = {
    "chat": {"id": "", "object": "chat.completion", "created": 0, "model": ""},
    "messages": {"type": "message", "role": "assistant"},
    "responses": {"object": "response"},
}


@attrs.frozen
class Wire:
    """One stream.

    Attributes:
        snapshot: The JSON of the result, with defaults.
        error: The name of the class of the error that ends the stream, None if it ends well.
    """

    api: Api
    name: str
    why: str
    events: list[dict[str, Any] | str]
    outcome: str
    snapshot: dict[str, Any]
    error: str | None = None

    @property
    def body(self) -> bytes:
        """The bytes of the stream."""
        frames = [event if isinstance(event, str) else f"data: {json.dumps(event)}\n\n" for event in self.events]
        return "".join(frames).encode()


def load_wires(api: Api) -> list[Wire]:
    """Return the streams of *api*."""
    values = json.loads((Path(__file__).parents[1] / "wires" / f"{api}.json").read_bytes())
    return [Wire(api=api, **value | {"snapshot": DEFAULTS[api] | value["snapshot"]}) for value in values]


def snapshot_fields(snapshot: Model) -> dict[str, Any]:
    """Return the JSON of *snapshot* without null."""
    fields: dict[str, Any] = _without_null(json.loads(snapshot.to_json()))
    return fields


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    return [_without_null(item) for item in value] if isinstance(value, list) else value
