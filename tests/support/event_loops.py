"""Kinds of event loops that the whole suite can run on."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Callable


def _create_eager_policy() -> asyncio.AbstractEventLoopPolicy:
    class EagerPolicy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            loop = super().new_event_loop()
            if sys.version_info >= (3, 12):
                loop.set_task_factory(asyncio.eager_task_factory)
            return loop

    return EagerPolicy()


def _create_uvloop_policy() -> asyncio.AbstractEventLoopPolicy:
    import uvloop  # installed for this kind only

    policy: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
    return policy


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoopPolicy] | None] = {
    "asyncio": None,
    "eager": _create_eager_policy,
    "uvloop": _create_uvloop_policy,
}
"""Creates the policy of each kind; None leaves the policy as it is."""


def use_event_loop(kind: str) -> None:
    """Let asyncio create every event loop of the process as *kind* says."""
    if create := LOOPS[kind]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # policies, from CPython 3.14 on
            asyncio.set_event_loop_policy(create())
