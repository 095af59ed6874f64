"""aiohttp's exceptions as errors of ours, which hold no request, no key and no object of aiohttp.

Contract: the message names the host and what to do, never an address with credentials.
"""

from __future__ import annotations

import ssl

import aiohttp

from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async.errors import APIConnectionError, ConfigurationError, GradientError, ProtocolError

HTTP_PROXY_AUTHENTICATION = 407
_PROXY_FAULT_END = 500
_CODING_FAULT = "Can not decode content-encoding"
"""Begins aiohttp's message of a response that cannot be decompressed; its classes differ by parser and version."""
_CERTIFICATE_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
"""Names of TLS alerts by which a server refuses the client's certificate, or that there is none."""

_PLAIN_REPLIES = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""OpenSSL's reasons when a server answers a TLS handshake in plain text."""


def translate_exception(caught: Exception, timer: AttemptTimer) -> GradientError:
    """Return our error for an exception of aiohttp or of the operating system."""
    if isinstance(caught, aiohttp.ClientConnectorError | aiohttp.ServerFingerprintMismatch):
        return _translate_connect_error(caught)
    if isinstance(caught, aiohttp.InvalidURL):
        return ConfigurationError("The address of the service or of the proxy cannot be used; check both.")
    if isinstance(caught, aiohttp.ClientHttpProxyError):
        return _build_proxy_error(caught.status)
    if _CODING_FAULT in f"{caught} {caught.__cause__}":
        return _build_coding_error(caught, timer)
    if isinstance(caught, aiohttp.ClientResponseError):
        return ProtocolError("The service's response is not readable as HTTP.")
    if not timer.response_started and any(alert in str(caught) for alert in _CERTIFICATE_ALERTS):
        return _build_client_certificate_error()
    when = "in the middle of" if timer.response_started else "before"
    return APIConnectionError(
        f"The connection was lost {when} the response ({type(caught).__name__}).", maybe_sent=timer.sent
    )


def _translate_connect_error(
    caught: aiohttp.ClientConnectorError | aiohttp.ServerFingerprintMismatch,
) -> APIConnectionError:
    """Return the error of a connection that was not made."""
    if isinstance(caught, aiohttp.ServerFingerprintMismatch):
        return APIConnectionError(f"The certificate of {caught.host} is not the expected one.", permanent=True)
    if isinstance(caught, aiohttp.ClientConnectorCertificateError):
        return _build_certificate_error(caught)
    error, kind = caught.os_error, ""
    if isinstance(caught, aiohttp.ClientProxyConnectionError):
        kind = "the proxy "
    if isinstance(error, ssl.SSLError) and any(alert in str(error) for alert in _CERTIFICATE_ALERTS):
        return _build_client_certificate_error()
    if isinstance(error, ssl.SSLError) and error.reason in _PLAIN_REPLIES:
        return APIConnectionError(
            f"Could not connect to {kind}{caught.host}:{caught.port}: it does not speak TLS. If that is right, write "
            "http:// in front of its address.",
            permanent=True,
        )
    reason = error.strerror or type(error).__name__
    # a TLS handshake that fails for another reason than its end fails each time
    permanent = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
    return APIConnectionError(
        f"Could not connect to {kind}{caught.host}:{caught.port}: {reason}. Check the address and the network; some "
        "networks need a proxy.",
        permanent=permanent,
    )


def _build_certificate_error(caught: aiohttp.ClientConnectorCertificateError) -> APIConnectionError:
    reason = getattr(caught.certificate_error, "verify_message", "") or type(caught.certificate_error).__name__
    return APIConnectionError(
        f"The certificate of {caught.host} was not accepted ({reason}). If a proxy or gateway of your network signs "
        "with an authority of its own, pass ssl=ssl.create_default_context(cafile=...); else check the "
        "address and the clock.",
        permanent=True,
    )


def _build_client_certificate_error() -> APIConnectionError:
    return APIConnectionError(
        "The server refused the TLS handshake, as one does that asks for a client certificate; load yours with "
        "context.load_cert_chain(...) and pass ssl=context.",
        permanent=True,
    )


def _build_coding_error(caught: Exception, timer: AttemptTimer) -> GradientError:
    """Build the error of a response that cannot be decompressed: never, or because it was damaged."""
    if isinstance(caught, aiohttp.ClientResponseError):
        return ProtocolError(
            "The response has a compression that nobody asked for and that cannot be read here; a proxy in between may "
            f"add it. aiohttp says: {caught.message}"
        )
    return APIConnectionError(
        "The response is compressed and cannot be decompressed: it was damaged on its way. Send the request again; "
        "if that repeats, look at the proxies in between.",
        maybe_sent=timer.sent,
    )


def _build_proxy_error(status: int) -> APIConnectionError:
    """Build the error of a proxy that answered CONNECT with *status*; a 4xx is its last word, a 5xx may pass."""
    if status == HTTP_PROXY_AUTHENTICATION:
        message = (
            "The proxy asks for credentials (407); give them in its address, as "
            "proxy='http://user:password@host:3128', or in HTTPS_PROXY."
        )
    else:
        message = f"The proxy refused to connect ({status}); check its address, its rules and NO_PROXY."
    return APIConnectionError(message, permanent=status < _PROXY_FAULT_END)
