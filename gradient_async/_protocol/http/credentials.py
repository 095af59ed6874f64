"""Which key goes to which host.

Contract: pure; the environment is an argument. A key that cannot be a header is refused by a message that does not
show it. An address is normalised to its origin and path prefix, without ``/v1``.

Source: authentication sections of the agent and batch references; the variable names that the documents and the
service's other clients use.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import attrs

from gradient_async.errors import ConfigurationError

DEFAULT_BASE_URL = "https://inference.do-ai.run"
INFERENCE_KEYS = (
    "MODEL_ACCESS_KEY",
    "GRADIENT_MODEL_ACCESS_KEY",
    "DIGITALOCEAN_INFERENCE_KEY",
    "DIGITALOCEAN_TOKEN",
    "DIGITALOCEAN_ACCESS_TOKEN",
)
INFERENCE_ENDPOINTS = ("GRADIENT_INFERENCE_ENDPOINT",)
AGENT_KEYS = ("AGENT_ACCESS_KEY", "GRADIENT_AGENT_ACCESS_KEY")
AGENT_ENDPOINTS = ("AGENT_ENDPOINT", "AGENT_URL", "GRADIENT_AGENT_ENDPOINT")


@attrs.frozen
class Setting:
    """A value from an argument or the first environment variable that has one.

    Attributes:
        argument: The name of the argument that sets it.
        variables: The environment variables that were tried, in order.
        source: Where the value came from; None if there is none.
    """

    argument: str
    variables: tuple[str, ...]
    value: str | None = attrs.field(default=None, repr=False)
    source: str | None = None

    def require_value(self, purpose: str) -> str:
        """Return the value.

        Raises:
            ConfigurationError: There is none; the message names every place that was tried.
        """
        if self.value is None:
            tried = ", ".join(self.variables)
            raise ConfigurationError(f"{purpose} Pass {self.argument}=... or set one of {tried}.")
        return self.value


def find_setting(argument: str, given: str | None, variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    """Return the setting: *given*, else the first of *variables* that is not blank."""
    if given is not None:
        return Setting(argument, variables, given, f"{argument}=")
    for name in variables:
        if value := environ.get(name, "").strip():
            return Setting(argument, variables, value, name)
    return Setting(argument, variables)


def find_key(argument: str, given: str | None, variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    """Return a key, stripped and fit to be a header.

    Raises:
        ConfigurationError: It is empty, or holds a character that no header may carry.
    """
    setting = find_setting(argument, given, variables, environ)
    if setting.value is None:
        return setting
    key = setting.value.strip()
    if not key:
        raise ConfigurationError(f"The key from {setting.source} is empty; leave it out or give the whole key.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            f"The key from {setting.source} has a line break, a space or a character outside ASCII in it; "
            "copy it again, without anything around it."
        )
    return attrs.evolve(setting, value=key)


def normalize_address(address: Setting, *, allow_insecure: bool = False) -> Setting:
    """Return *address* as an origin with its path prefix, ready for a path that begins with ``/``.

    A scheme may be missing (https is meant); a trailing ``/``, ``/v1`` or ``/api/v1`` is taken off.

    Raises:
        ConfigurationError: It is no address (a word may be a key), or plain http to a host that is not this machine.
    """
    if address.value is None:
        return address
    text, source = address.value.strip(), address.source or address.argument
    parts = _split(_with_scheme(text, source), source)
    if parts.scheme == "http" and not allow_insecure and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"{source} is an http:// address, which would send the key unencrypted to {parts.hostname}; "
            "use https://, or pass allow_insecure=True if the network is yours."
        )
    path = parts.path.rstrip("/")
    for suffix in ("/api/v1", "/v1"):
        path = path.removesuffix(suffix)
    return attrs.evolve(address, value=f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}")


def _with_scheme(text: str, source: str) -> str:
    """Return *text* with the scheme it may lack, unless it is a mere word: a key would be looked up as a host."""
    if "://" in text:
        return text
    host = text.partition("/")[0]
    if host and not (is_loopback(host) or "." in host or ":" in host):
        raise ConfigurationError(
            f"{source} is not an address like https://host/prefix, and a key is none; "
            "a host without a dot needs its https:// in front."
        )
    return f"https://{text}"


def _split(text: str, source: str) -> SplitResult:
    problem = ""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")  # as it is looked up: a host that has no such form is none
        usable = parts.scheme in ("http", "https") and host and (parts.port is None or parts.port > 0)
    except ValueError as error:
        problem, usable = f" ({error})", False
    if not usable or any(ord(c) <= 32 or c in "\\\x7f" for c in text):
        raise ConfigurationError(f"{source} is not an address like https://host/prefix{problem}.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"{source} must be an address alone, without user, query or fragment.")
    return parts


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
