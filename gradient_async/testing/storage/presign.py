r"""Presigned URLs of the storage host: signing and verification.

Contract: pure; the time is an argument. A URL is valid for one method until it expires.
Source: the upload section of the Batch Inference reference ("use it verbatim"); AWS Signature Version 4 for the names
of the parameters and the codes of the errors.

The signature covers the method and the canonical form of the request target, as that of a real storage: the path and
the fields of the query decoded, sorted, without the signature itself. So ``%7E`` may arrive as ``~``, ``+`` as ``%20``
and the fields in another order, but none may be added, lost or changed. The query contains ``%2F``, ``%7E``, ``+`` and
``%3D``, which URL libraries like to rewrite. Example::

    /inputs/1.jsonl?X-Amz-Algorithm=...&X-Emulated-Expiry=1900.0&...&X-Amz-Signature=5f0c...
    HMAC-SHA256(secret, "PUT\n/inputs/1.jsonl\nX-Amz-Algorithm=...\nX-Emulated-Expiry=1900.0\n...")

The query holds the expiry, so the host stores nothing for a URL; `UrlSigner.generation` expires earlier URLs at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import attrs

LIFETIME = 900.0
"""Seconds of emulated time for which a URL is valid."""

_TYPE_IS_SIGNED = "content-type%3Bhost"
_SIGNATURE = "X-Amz-Signature"
_FRAGILE_FIELDS = (
    "X-Amz-Security-Token=do%2Fv1%7Eemulated+token%3D%3D&response-content-disposition=attachment%3B%20a%7Eb"
)


@attrs.frozen(kw_only=True)
class S3Error:
    """An error response of the storage host: its HTTP status, S3 code and message."""

    status: int
    code: str
    message: str


MISMATCH = S3Error(
    status=403,
    code="SignatureDoesNotMatch",
    message="The request signature we calculated does not match the signature you provided.",
)
EXPIRED = S3Error(status=403, code="AccessDenied", message="Request has expired")
UNSIGNED = S3Error(status=403, code="AccessDenied", message="Access Denied")


@attrs.define(kw_only=True)
class UrlSigner:
    """Signs request targets with a random secret.

    Attributes:
        generation: The current generation of URLs; those of earlier generations have expired.
    """

    generation: int = 0
    _secret: bytes = attrs.field(factory=lambda: os.urandom(32), init=False, repr=False)

    def sign_target(
        self, method: str, path: str, *, now: float, expires: float, content_type: str | None = None
    ) -> str:
        """Return *path* with a signed query.

        Args:
            method: The HTTP method that the URL is valid for.
            path: The path of the object.
            now: The time of the signature in epoch seconds.
            expires: The end of its validity in epoch seconds.
            content_type: The type that the request must have; None signs no type.
        """
        moment = datetime.fromtimestamp(now, UTC)
        fields = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential=EMULATED%2F{moment:%Y%m%d}%2Fnyc3%2Fs3%2Faws4_request",
            f"X-Amz-Date={moment:%Y%m%dT%H%M%SZ}",
            f"X-Amz-Expires={LIFETIME:.0f}",
            f"X-Emulated-Expiry={expires!r}",
            f"X-Emulated-Generation={self.generation}",
            f"X-Amz-SignedHeaders={'host' if content_type is None else _TYPE_IS_SIGNED}",
            _FRAGILE_FIELDS,
        )
        unsigned = f"{path}?{'&'.join(fields)}"
        return f"{unsigned}&{_SIGNATURE}={self._compute_signature(method, unsigned, content_type)}"

    def verify_target(self, method: str, target: str, now: float, content_type: str = "") -> S3Error | None:
        """Return the error of a request for *target*, verbatim from the request line; None if the URL is valid."""
        fields = parse_qs(urlsplit(target).query, keep_blank_values=True)
        if _SIGNATURE not in fields:
            return UNSIGNED
        signed_type = content_type if fields.get("X-Amz-SignedHeaders") == [unquote(_TYPE_IS_SIGNED)] else None
        expected = self._compute_signature(method, target, signed_type)
        if not hmac.compare_digest("".join(fields[_SIGNATURE]).encode(), expected.encode()):
            return MISMATCH
        expired = now >= float(fields["X-Emulated-Expiry"][0]) or self.generation > int(
            fields["X-Emulated-Generation"][0]
        )
        return EXPIRED if expired else None

    def _compute_signature(self, method: str, target: str, content_type: str | None) -> str:
        signed = [method, *([] if content_type is None else [content_type]), *_canonical_parts(target)]
        return hmac.new(self._secret, "\n".join(signed).encode(), hashlib.sha256).hexdigest()


def _canonical_parts(target: str) -> list[str]:
    """Return the decoded path of *target*, then its fields in order, except for the signature."""
    parts = urlsplit(target)
    fields = parse_qsl(parts.query, keep_blank_values=True)
    return [unquote(parts.path), *sorted(f"{name}={value}" for name, value in fields if name != _SIGNATURE)]
