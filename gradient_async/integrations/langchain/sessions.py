"""The sessions of models that are given a key in place of a session.

Contract: one session for each key and address in a process, so that all models share its rate limits. It belongs to the
portal, so that any thread and any event loop can call the models, and is closed when the interpreter exits.
"""

from __future__ import annotations

import os
import threading

from gradient_async._protocol.http import credentials
from gradient_async._protocol.http.credentials import Secret
from gradient_async.integrations._portal import get_portal_loop
from gradient_async.session import AsyncSession

_lock = threading.Lock()
_sessions: dict[tuple[int, str, str | None], AsyncSession] = {}


def find_api_key(api_key: Secret | None) -> str | None:
    """Return *api_key*, else the key that the environment names; None if there is none.

    Raises:
        ConfigurationError: It cannot be a key.
    """
    return credentials.find_key("api_key", api_key, credentials.INFERENCE_KEYS, os.environ).value


def get_session(api_key: str) -> AsyncSession:
    """Return the session of this process for *api_key* and the address that the environment names."""
    session = AsyncSession(api_key)
    with _lock:
        session = _sessions.setdefault((os.getpid(), api_key, session._parts.base_url.value), session)
    session._parts.enter_loop(get_portal_loop())
    return session
