"""Who may use the gateway: callers with a token, or without tokens only programs of this machine.

Contract: pure. Tokens are compared in constant time, all of them, and never shown.

Without a token, the loopback address alone does not keep web pages out: any page in a browser of this machine can post
to it, and one whose own name resolves to 127.0.0.1 can read the response too. Browsers state the page in ``Origin`` and
the name in ``Host``, so both must name this machine.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

import attrs

_LOCALHOST = "localhost"


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is this machine and only reachable from it."""
    name = host.strip("[]").rstrip(".").lower()
    if name == _LOCALHOST or name.endswith(f".{_LOCALHOST}"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


@attrs.frozen(init=False, repr=False)
class AccessPolicy:
    """Decides which requests the gateway serves.

    Args:
        tokens: The tokens of its callers; without any, only programs of this machine are served.
    """

    _digests: tuple[bytes, ...]

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self.__attrs_init__(tuple(_hash_token(token) for token in tokens))

    @property
    def needs_token(self) -> bool:
        """Whether callers must have a token."""
        return bool(self._digests)

    def find_refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return status and reason for refusing a request with these *headers*, None to serve it."""
        if self._digests:
            if any(self._knows_token(token) for token in _list_tokens(headers)):
                return None
            return 401, "The gateway takes its own tokens only: give one that it was started with as the API key."
        if not _names_this_machine(headers.get("Host", "")):
            return 403, "The gateway has no token, so it answers only to the name of this machine, such as 127.0.0.1."
        origin = headers.get("Origin")
        if origin is not None and not _names_this_machine(origin.partition("://")[2]):
            return 403, "The gateway has no token, so it takes no requests of web pages; start it with --token."
        return None

    def _knows_token(self, token: str) -> bool:
        given = _hash_token(token)
        return sum(hmac.compare_digest(given, digest) for digest in self._digests) > 0  # compared with all of them


def _hash_token(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _list_tokens(headers: Mapping[str, str]) -> Iterator[str]:
    """Iterate over the tokens that a request carries: as a bearer, in the headers of the SDKs, or as a password."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield credentials.strip()
    elif scheme.lower() == "basic":
        yield _decode_password(credentials.strip())
    for name in ("X-Api-Key", "Api-Key"):
        if token := headers.get(name):
            yield token.strip()


def _decode_password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


@lru_cache(maxsize=64)
def _names_this_machine(address: str) -> bool:
    """Whether ``host:port`` is this machine."""
    try:
        return is_loopback(urlsplit(f"//{address}").hostname or "")
    except ValueError:
        return False
