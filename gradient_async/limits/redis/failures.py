"""`RedisUnavailable`: a failed call to Redis, and whether waiting can mend it.

Contract: pure. Exceptions of any Redis client go in, by the names of their classes; out comes an error that holds
nothing of them but words, because their texts may contain the address with its password.

A refusal is an answer of a healthy server that says no, such as a wrong password: it says the same tomorrow. Anything
else is an outage: no answer, or an error code of a server that starts, is full, or changes roles.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import attrs

from gradient_async.errors import ConfigurationError

__all__ = ["PERMISSIONS", "RedisUnavailable", "describe_failure"]

_MAX_CHAIN = 8
"""Exceptions of a chain of causes that are looked at."""


PERMISSIONS = "+eval +evalsha +time +pexpire +zadd +zrem +zscore +zcount +zrevrange +zrangebyscore +zremrangebyscore"
"""The commands that a user needs, as rules of an access control list."""


class RedisUnavailable(Exception):  # noqa: N818  it never leaves this package
    """Redis did not reply, or not with the reply of our script.

    Attributes:
        reason: The class of the failure, and its cause if that is known.
        cure: What to do about a refusal, None for an outage.
    """

    def __init__(self, reason: str, cure: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.cure = reason, cure

    def to_configuration_error(self) -> ConfigurationError:
        """Return the error for the callers of a limiter that Redis refused to serve."""
        return ConfigurationError(f"Redis refuses to serve this limiter: {self.reason}. {self.cure}.")


@attrs.frozen
class _Refusal:
    """A kind of refusal: the marks in the class or the text of an error, the cause and the cure."""

    marks: tuple[str, ...]
    cause: str
    cure: str


_TLS = (
    _Refusal(
        ("SSLCertVerificationError", "CERTIFICATE_VERIFY_FAILED"),
        "its certificate is not trusted",
        "Name the authority that signed it, as in rediss://host/0?ssl_ca_certs=/path/ca.pem",
    ),
    _Refusal(
        ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"),
        "it does not speak TLS on this port",
        "Give its TLS port, or an address that begins with redis:// instead of rediss://",
    ),
    _Refusal(
        ("CERTIFICATE_REQUIRED", "TLSV13_ALERT_CERTIFICATE", "HANDSHAKE_FAILURE", "ALERT_UNKNOWN_CA"),
        "it does not accept the TLS connection",
        "Give a client certificate, as in rediss://host/0?ssl_certfile=cert.pem&ssl_keyfile=key.pem",
    ),
)
_PASSING = (
    *("LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "OOM", "MISCONF", "NOREPLICAS", "ASK ", "EXECABORT", "NOSCRIPT"),
    *("BusyLoadingError", "TryAgainError", "MasterDownError", "OutOfMemoryError", "AskError", "NoScriptError"),
    *("max number of clients", "MaxConnectionsError", "The cluster is down", "UNBLOCKED", "FAILOVER"),
)
"""Marks of error replies that waiting can mend."""
_REFUSALS = (
    _Refusal(
        ("ReadOnlyError", "READONLY"),
        "the server is a read-only replica",
        "Give the address of its primary, or of Sentinel: redis+sentinel://host:26379/service/0",
    ),
    _Refusal(
        ("NoPermissionError", "NOPERM", "can't run this command", "no permissions", "No permissions", "can't access"),
        "its access control list does not allow the commands or the key of the limiter",
        f"Grant them: ~{{gradient-async:* {PERMISSIONS}",
    ),
    _Refusal(
        (
            *("AuthenticationError", "AuthenticationWrongNumberOfArgsError", "AuthorizationError"),
            *("WRONGPASS", "NOAUTH", "invalid password", "without any password"),
        ),
        "it does not accept the user name and password, or wants none",
        "Correct them in the address, as in redis://user:password@host/0",
    ),
    _Refusal(
        (
            "SlotNotCoveredError",
            "KeyError",
            "IndexError",
            "Hash slot not served",
            "not covered by the cluster",
            "slots are not covered",
        ),
        "no node of the cluster serves the slot of the limiter's key",
        "Assign the slot to a node",
    ),
    _Refusal(
        ("MovedError", "MOVED "),
        "it is a node of a cluster, and another node has the key",
        "Give the address of the cluster: redis+cluster://host:6379",
    ),
    _Refusal(
        ("Cluster mode is not enabled", "cluster support disabled"),
        "it is not a node of a cluster",
        "Give its address as redis://host:6379/0",
    ),
    _Refusal(
        ("UnknownServiceError",),
        "Sentinel does not know the service",
        "Correct its name in the address: redis+sentinel://host:26379/service/0",
    ),
    _Refusal(("WRONGTYPE",), "another program uses the key of the limiter", "Choose another key="),
    _Refusal(
        ("DB index is out of range", "SELECT is not allowed", "invalid DB index"),
        "it has no database of this number",
        "Correct the number in the address, as in redis://host:6379/0",
    ),
    _Refusal(
        ("unknown command", "Unknown command", "unknown subcommand"),
        "it does not know EVALSHA: it is a Sentinel, or not a Redis server",
        "Give the address of a Redis or Valkey server; that of a Sentinel begins with redis+sentinel://",
    ),
    _Refusal(
        ("ResponseError",),
        "it answers the limiter's script with an error",
        "Look up the error in its log; the limiter needs Lua scripts, as Redis 5 and Valkey have them",
    ),
)


def describe_failure(error: BaseException) -> RedisUnavailable:
    """Return a failure of the same meaning as *error*, which holds none of its objects and texts."""
    for each in reversed(list(_list_causes(error))):  # the root cause tells most
        if refusal := _find_refusal(each):
            return RedisUnavailable(f"{type(each).__name__}, {refusal.cause}", refusal.cure)
    return RedisUnavailable(type(error).__name__)


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and its causes; a client may have wrapped the telling one."""
    current: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _find_refusal(error: BaseException) -> _Refusal | None:
    """Return the kind of refusal that *error* is, None for an outage."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return None
    marks = " ".join([*(each.__name__ for each in type(error).__mro__), str(error)])
    refusals = _TLS if isinstance(error, ssl.SSLError) else _REFUSALS
    if any(mark in f"{type(error).__name__} {error}" for mark in _PASSING):
        return None
    return next((refusal for refusal in refusals if any(mark in marks for mark in refusal.marks)), None)
