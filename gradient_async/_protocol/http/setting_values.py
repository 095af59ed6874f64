"""Keys and addresses that cannot be used as they are: objects become text, a refusal says what to give instead.

Contract: pure; loaded only for such a value. No message shows a key.

Source: Pydantic 2 for ``SecretStr`` and ``AnyUrl``; yarl and httpx for ``URL``; the standard library for
``SplitResult``.
"""

from __future__ import annotations

import re

from gradient_async.errors import ConfigurationError

_OBJECTS = "text, or an object that holds it, as Pydantic's SecretStr or a URL"
_PLACEHOLDER = r"<.*>|\$\{?\w+\}?|\{\{.*\}\}|%\w+%"
_QUOTES = frozenset("'\"`")
_ENDPOINT = (
    r"/chat/completions$|(?<=/v1)/(completions|messages|responses|embeddings|rerank|models|batches|files|systemone"
    r"|images/generations|audio/speech|videos|async-invoke)(/.*)?$"
)
"""The path of an endpoint: one word may be the prefix of a gateway, except below ``/v1``."""


def read_setting(source: str, value: object) -> str:
    """Return the text that an object holds: a secret, a URL, or the parts of one.

    Raises:
        ConfigurationError: The object holds no text.
    """
    if isinstance(value, str):
        return value
    if callable(reveal := getattr(value, "get_secret_value", None)):
        return read_setting(source, reveal())
    if callable(join := getattr(value, "geturl", None)):
        return read_setting(source, join())
    if hasattr(value, "scheme"):
        return str(value)
    advice = "decode it" if isinstance(value, bytes | bytearray) else "call it" if callable(value) else ""
    ending = f"; {advice} first" if advice else ""
    raise ConfigurationError(f"{source} must be {_OBJECTS}; got {type(value).__name__}{ending}.")


def describe_bad_key(key: str) -> str | None:
    """Return the mistake in *key* and its remedy; None if it may be a key."""
    if "://" in key:
        return "is an address; give it as base_url= or agent_endpoint=, and the key here"
    if key[:7].lower() == "bearer ":
        return "begins with Bearer, which is added to every request; give what follows it"
    if len(key) > 1 and key[0] == key[-1] and key[0] in _QUOTES:
        return "is in quotation marks; give what is between them"
    if re.fullmatch(_PLACEHOLDER, key):
        return "is a placeholder; put the key in its place"
    return None


def find_endpoint(path: str) -> str | None:
    """Return the part of the *path* of an address that requests append themselves, None if there is none.

    For example, ``/v1/chat/completions`` of ``/team/v1/chat/completions``.
    """
    found = re.search(_ENDPOINT, path)
    if found is None:
        return None
    prefix = path[: found.start()].removesuffix("/v1").removesuffix("/api")
    return path.removeprefix(prefix)
