"""Credentials: which key goes to which host.

Contract: pure; the environment is an argument. No message or ``repr`` shows a key. An address is normalized to its
origin and path prefix, without ``/v1``.

Source: authentication sections of the agent and batch references; the variable names that the documents and the
service's other clients use.
"""

from __future__ import annotations

import hashlib
import ipaddress
import string
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

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
DEFAULT_KNOWLEDGE_BASE_URL = "https://kbaas.do-ai.run"
KNOWLEDGE_BASE_TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
KNOWLEDGE_BASE_ENDPOINTS = ("GRADIENT_KNOWLEDGE_BASE_ENDPOINT", "GRADIENT_KBASS_ENDPOINT")
_KEY_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-_.")
"""Characters of the keys that the service issues; others are no fault, but a reason to look closer."""
_MAX_LABEL = 64
"""Characters below which a label of a host name is valid (RFC 1035)."""
_MODEL_KEY_PREFIX, _TOKEN_PREFIXES = "sk-do-", ("dop_v1_", "doo_v1_")
AGENT_KEYS = ("AGENT_ACCESS_KEY", "GRADIENT_AGENT_ACCESS_KEY")
AGENT_ENDPOINTS = ("AGENT_ENDPOINT", "AGENT_URL", "GRADIENT_AGENT_ENDPOINT")


class SupportsSecret(Protocol):
    """An object that keeps a key hidden, as Pydantic's ``SecretStr``."""

    def get_secret_value(self) -> str:
        """Return the key."""
        ...


class SupportsScheme(Protocol):
    """A URL object of yarl, httpx, Pydantic or the standard library."""

    @property
    def scheme(self) -> str:
        """The part before the colon."""
        ...


Secret = str | SupportsSecret
Address = str | SupportsScheme


class Setting:
    """A value from an argument or from the first environment variable that is set.

    Attributes:
        argument: Name of the argument.
        variables: Names of the environment variables, in the order of look-up.
        value: The value; None if neither the argument nor a variable is set.
        source: The argument or variable that the value came from; None without a value.
    """

    __slots__ = ("argument", "source", "value", "variables")

    def __init__(
        self, argument: str, variables: tuple[str, ...], value: str | None = None, source: str | None = None
    ) -> None:
        self.argument = argument
        self.variables = variables
        self.value = value
        self.source = source

    def with_value(self, value: str, source: str | None) -> Setting:
        """Return this setting with a *value* from *source*."""
        return Setting(self.argument, self.variables, value, source)

    def require_value(self, purpose: str) -> str:
        """Return the value.

        Raises:
            ConfigurationError: There is no value; the message names the argument and every variable.
        """
        if self.value is None:
            tried = ", ".join(self.variables)
            raise ConfigurationError(f"{purpose} Pass {self.argument}=... or set one of {tried}.")
        return self.value


def find_setting(argument: str, given: object, variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    """Look a setting up: *given*, text or an object that holds it, else the first of *variables* that is not blank.

    Raises:
        ConfigurationError: *given* is of another type.
    """
    if given is not None:
        source = f"{argument}="
        return Setting(argument, variables, given if type(given) is str else _read_object(source, given), source)
    for name in variables:
        if value := environ.get(name, "").strip():
            return Setting(argument, variables, value, name)
    return Setting(argument, variables)


def find_key(argument: str, given: object, variables: tuple[str, ...], environ: Mapping[str, str]) -> Setting:
    """Look a key up as `find_setting` does, and strip it.

    Raises:
        ConfigurationError: The key is empty, is something else than a key, or has a character that a header cannot
            carry.
    """
    setting = find_setting(argument, given, variables, environ)
    if setting.value is None:
        return setting
    key = setting.value.strip()
    if not key:
        raise ConfigurationError(f"The key from {setting.source} is empty; leave it out or give the whole key.")
    if not _KEY_CHARACTERS.issuperset(key) and (problem := _describe_bad_key(key)):
        raise ConfigurationError(f"The key from {setting.source} {problem}.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            f"The key from {setting.source} has a line break, a space or a character outside ASCII in it; "
            "copy it again, without anything around it."
        )
    return setting.with_value(key, setting.source)


def choose_knowledge_base_address(address: Setting, base_url: Setting) -> Setting:
    """Return the *address* of the knowledge bases, else the one that belongs to that of the inference service.

    Beside the service's own host they have the documented one. Beside any other address, a gateway or an emulator, they
    are expected there, so that no key leaves it.
    """
    if address.value is not None:
        return address
    if base_url.value == DEFAULT_BASE_URL:
        return address.with_value(DEFAULT_KNOWLEDGE_BASE_URL, "the default")
    return base_url


def choose_knowledge_base_token(token: Setting, address: Setting, api_key: Setting, base_url: Setting) -> Setting:
    """Return the key for the knowledge bases at *address*: *token*, or the inference key where that may serve.

    The inference key goes to no other host, with one exception: a token of the account serves on both of the service's
    own hosts. A model access key is refused by the knowledge bases, so it is never sent there.
    """
    if token.source == f"{token.argument}=" or api_key.value is None:
        return token
    if address.value == base_url.value:
        return api_key
    if (base_url.value, address.value) != (DEFAULT_BASE_URL, DEFAULT_KNOWLEDGE_BASE_URL):
        return token
    may_be_token = token.value is None and not api_key.value.startswith(_MODEL_KEY_PREFIX)
    return api_key if may_be_token or api_key.value.startswith(_TOKEN_PREFIXES) else token


def normalize_address(address: Setting, *, allow_insecure: bool = False) -> Setting:
    """Normalize *address* to an origin with its path prefix, to which a path that begins with ``/`` is appended.

    A missing scheme means https; a trailing ``/``, ``/v1`` or ``/api/v1`` is removed. For example,
    ``gateway.example/team/v1/`` becomes ``https://gateway.example/team``.

    Raises:
        ConfigurationError: The address is malformed, is a single word (maybe a key), or is plain http to another
            machine without *allow_insecure*.
    """
    if address.value is None:
        return address
    text, source = address.value.strip(), address.source or address.argument
    parts = _split_address(_add_scheme(text, source), source)
    if parts.path.strip("/"):
        _refuse_endpoint(parts, source)
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"{source} must be an address alone, without user, query or fragment.")
    if parts.scheme == "http" and not allow_insecure and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"{source} is an http:// address, which would send the key unencrypted to {parts.hostname}; "
            "use https://, or pass allow_insecure=True if the network is yours."
        )
    path = parts.path.rstrip("/")
    for suffix in ("/api/v1", "/v1"):
        path = path.removesuffix(suffix)
    return address.with_value(f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}", address.source)


def fingerprint_key(address: str, key: str) -> str:
    """Return a name for *key* at *address*: the same in every process, and not telling the key."""
    return hashlib.sha256(f"{address}\0{key}".encode()).hexdigest()[:16]


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _add_scheme(text: str, source: str) -> str:
    """Prepend ``https://`` to an address without a scheme. Refuse a single word: a key would reach a DNS server."""
    if "://" in text:
        return text
    host = text.partition("/")[0]
    if host and not (is_loopback(host) or "." in host or ":" in host):
        raise ConfigurationError(
            f"{source} is not an address like https://host/prefix. It may be a key, which belongs elsewhere; "
            "a host without a dot needs its https:// in front."
        )
    return f"https://{text}"


def _split_address(text: str, source: str) -> SplitResult:
    problem = ""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        if not host.isascii() or not all(0 < len(label) < _MAX_LABEL for label in host.removesuffix(".").split(".")):
            host.encode("idna")  # DNS look-ups need this form; loaded for the few names that differ from it
        usable = parts.scheme in ("http", "https") and host and (parts.port is None or parts.port > 0)
    except ValueError as error:
        problem, usable = f" ({error})", False
    if not usable or any(ord(c) <= 32 or c in "\\\x7f" for c in text):
        raise ConfigurationError(f"{source} is not an address like https://host/prefix{problem}.")
    return parts


def _refuse_endpoint(parts: SplitResult, source: str) -> None:
    """Raise a `ConfigurationError` with the right address if this is that of an endpoint."""
    path = parts.path.rstrip("/")
    if "/v1/" not in path and not path.endswith("/chat/completions"):
        return  # Hot at start: most addresses are none, and the search takes longer than the session

    from gradient_async._protocol.http.setting_values import find_endpoint

    if endpoint := find_endpoint(path):
        host = parts.netloc.rpartition("@")[2]
        raise ConfigurationError(
            f"{source} ends with {endpoint}, which each request appends itself; give "
            f"{parts.scheme}://{host}{path.removesuffix(endpoint)} instead."
        )


def _read_object(source: str, value: object) -> str:
    from gradient_async._protocol.http.setting_values import read_setting  # most programs pass text

    return read_setting(source, value)


def _describe_bad_key(key: str) -> str | None:
    from gradient_async._protocol.http.setting_values import describe_bad_key  # most keys are fine

    return describe_bad_key(key)
