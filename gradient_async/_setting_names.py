"""The arguments of a session by the names that other clients give them.

Contract: pure; loaded only for an argument that does not exist.

Source: the constructors of OpenAI's, Anthropic's and the service's own client; of httpx and aiohttp.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_TIMEOUTS = ("timeouts", "timeouts=Timeouts(total=...), in seconds")
_RETRY = ("retry", "retry=RetryPolicy(attempts=...), which counts the first attempt too")
_HEADERS = ("headers", "headers={...}")
_CLIENT = ("client_session", "client_session=aiohttp.ClientSession(...), or proxy=, ssl= and max_connections=")
_TLS = ("ssl", "ssl=ssl.create_default_context(cafile=...)")
_KEY, _AGENT_KEY = ("api_key", "api_key="), ("agent_access_key", "agent_access_key=")
_ADDRESS, _AGENT_ADDRESS = ("base_url", "base_url="), ("agent_endpoint", "agent_endpoint=")
_LIMITS = ("limits", "limits=RateLimits(per_minute=..., per_hour=...)")
_SCOPE = (None, "leave it out: the key belongs to one account")

_RIGHT_NAMES: dict[str, tuple[str | None, str]] = {
    **dict.fromkeys(("timeout", "request_timeout"), _TIMEOUTS),
    **dict.fromkeys(("max_retries", "retries"), _RETRY),
    **dict.fromkeys(("organization", "project", "workspace"), _SCOPE),
    **dict.fromkeys(("default_headers", "extra_headers"), _HEADERS),
    **dict.fromkeys(("http_client", "session", "connector", "transport"), _CLIENT),
    **dict.fromkeys(("verify", "verify_ssl", "cert"), _TLS),
    **dict.fromkeys(("key", "token", "access_token", "auth_token", "model_access_key"), _KEY),
    "agent_key": _AGENT_KEY,
    "agent_url": _AGENT_ADDRESS,
    **dict.fromkeys(("url", "host", "api_base", "endpoint", "inference_endpoint"), _ADDRESS),
    **dict.fromkeys(("rate_limit", "rate_limits", "limiter"), _LIMITS),
    "proxies": ("proxy", "proxy='http://host:3128' or trust_env=True"),
    "default_query": (None, "give params={...} to session.request"),
    "model": (None, "give model= to each call"),
}
"""By the other name: the argument, and what to write; None where no argument has that meaning."""


def suggest_setting(name: str, known: Iterable[str]) -> str:
    """Return the advice for an argument *name* that is not among the *known* ones."""
    known = sorted(known)
    argument, advice = _RIGHT_NAMES.get(name, ("", ""))
    if argument is None:
        return advice
    if argument in known:
        return f"use {advice}"
    close = difflib.get_close_matches(name, known, 1)
    return f"maybe {close[0]}= is meant" if close else f"it takes {', '.join(known)}"
