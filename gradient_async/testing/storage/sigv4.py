r"""AWS Signature Version 4 of presigned URLs.

Contract: pure. The signature covers the method, the signed headers, and the canonical form of the request target: path
and fields of the query decoded, encoded again in one way, and sorted. So ``%7E`` may arrive as ``~``, ``+`` as ``%20``
and the fields in another order, but none may be added, lost or changed. A signature of boto3 is valid here, and the
other way round.
Source: "Authenticating Requests: Using Query Parameters" of the Amazon S3 API Reference.

Example of the text that is hashed, for an upload::

    PUT
    /inputs/1.jsonl
    X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=EMULATED%2F20261130%2Fnyc3%2Fs3%2Faws4_request&...
    host:127.0.0.1:8080

    host
    UNSIGNED-PAYLOAD
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

__all__ = ["ALGORITHM", "SIGNATURE", "compute_signature"]

ALGORITHM = "AWS4-HMAC-SHA256"
SIGNATURE = "X-Amz-Signature"
_UNRESERVED = "-_.~"


def compute_signature(secret: str, method: str, target: str, headers: Mapping[str, str]) -> str:
    """Return the signature of a request.

    Args:
        secret: The secret key.
        method: The HTTP method.
        target: The request target, with the fields of the signature but for the signature itself, which is ignored.
        headers: The headers, of which the signed ones count; names in any case.
    """
    fields = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    scope = fields.get("X-Amz-Credential", "").partition("/")[2]
    request = _canonical_request(method, target, headers, fields.get("X-Amz-SignedHeaders", ""))
    text = "\n".join([ALGORITHM, fields.get("X-Amz-Date", ""), scope, hashlib.sha256(request.encode()).hexdigest()])
    return _hmac(_derive_key(secret, scope), text).hex()


def _canonical_request(method: str, target: str, headers: Mapping[str, str], signed_headers: str) -> str:
    parts, values = urlsplit(target), {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    fields = sorted(
        (quote(name, _UNRESERVED), quote(value, _UNRESERVED))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name != SIGNATURE
    )
    return "\n".join(
        [
            method,
            quote(unquote(parts.path), "/" + _UNRESERVED),
            "&".join(f"{name}={value}" for name, value in fields),
            *(f"{name}:{values.get(name, '')}" for name in signed_headers.split(";")),
            "",
            signed_headers,
            "UNSIGNED-PAYLOAD",
        ]
    )


def _derive_key(secret: str, scope: str) -> bytes:
    """Return the key for a *scope* of day, region, service and ``aws4_request``."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
