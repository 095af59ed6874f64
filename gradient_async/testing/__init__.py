"""Test doubles for applications that use this library.

    async with Emulator() as gradient, AsyncSession(api_key="test", base_url=gradient.url) as session:
        gradient.reply("Hello")
        completion = await session.chat.completions.create(...)
    assert gradient.requests[0].json["model"] == ...

Contract: `import gradient_async` does not import this package. Its names are loaded on first use, because pytest
imports the plugin in this package at every start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradient_async.testing.emulator import Emulator
    from gradient_async.testing.http.tiers import Tier
    from gradient_async.testing.recorded_request import RecordedRequest
    from gradient_async.testing.replies import Reply

__all__ = ["Emulator", "RecordedRequest", "Reply", "Tier"]

_MODULES = {
    "Emulator": "emulator",
    "RecordedRequest": "recorded_request",
    "Reply": "replies",
    "Tier": "http.tiers",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
