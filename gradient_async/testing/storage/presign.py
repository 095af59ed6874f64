"""Presigned URLs of the storage host: signing and verification.

Contract: pure; the time is an argument. A URL is valid for one method until it expires.
Source: the upload section of the Batch Inference reference ("use it verbatim"); AWS Signature Version 4.

Two kinds of URLs are valid: those of the emulator, and those that an S3 client made with its keys. The query of the
former contains ``%2F``, ``%7E``, ``+`` and ``%3D``, which URL libraries like to rewrite, and its expiry, so that the
host stores nothing for a URL; `UrlSigner.expire_all` expires all earlier URLs at once.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import attrs

from gradient_async.testing.storage.sigv4 import ALGORITHM, SIGNATURE, compute_signature

LIFETIME = 900.0
"""Seconds of emulated time for which a URL is valid."""

_TYPE_IS_SIGNED = "content-type%3Bhost"
_MOMENT = "%Y%m%dT%H%M%SZ"
_FRAGILE_FIELDS = (
    "X-Amz-Security-Token=do%2Fv1%7Eemulated+token%3D%3D&response-content-disposition=attachment%3B%20a%7Eb"
)


@attrs.frozen
class S3Error:
    """An error response of the storage host: its HTTP status, S3 code and message."""

    status: int
    code: str
    message: str


MISMATCH = S3Error(
    403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
)
EXPIRED = S3Error(403, "AccessDenied", "Request has expired")
UNSIGNED = S3Error(403, "AccessDenied", "Access Denied")
UNKNOWN_KEY = S3Error(403, "InvalidAccessKeyId", "The access key ID you provided does not exist in our records.")


@attrs.define(kw_only=True)
class UrlSigner:
    """Signs request targets, and verifies signatures.

    Attributes:
        access_key: The access key.
        secret_key: The secret key, which is random.
        time_scale: The factor by which the lifetime of a URL passes faster than the clock.
    """

    access_key: str = "EMULATED"
    secret_key: str = attrs.field(factory=lambda: secrets.token_hex(20), repr=False)
    time_scale: float = 1.0
    _generation: int = attrs.field(default=0, init=False)
    _expired_at: float = attrs.field(default=-math.inf, init=False)

    def expire_all(self, now: float) -> None:
        """Let all URLs expire that were made until *now*."""
        self._generation += 1
        self._expired_at = now

    def sign_target(
        self, method: str, path: str, *, host: str, now: float, expires: float, content_type: str | None = None
    ) -> str:
        """Return *path* with a signed query.

        Args:
            method: The HTTP method that the URL is valid for.
            path: The path of the object.
            host: The host and port that the URL is for.
            now: The time of the signature in epoch seconds.
            expires: The end of its validity in epoch seconds.
            content_type: The type that the request must have; None signs no type.
        """
        moment = datetime.fromtimestamp(now, UTC)
        fields = (
            f"X-Amz-Algorithm={ALGORITHM}",
            f"X-Amz-Credential={self.access_key}%2F{moment:%Y%m%d}%2Fnyc3%2Fs3%2Faws4_request",
            f"X-Amz-Date={moment:{_MOMENT}}",
            f"X-Amz-Expires={LIFETIME:.0f}",
            f"X-Emulated-Expiry={expires!r}",
            f"X-Emulated-Generation={self._generation}",
            f"X-Amz-SignedHeaders={'host' if content_type is None else _TYPE_IS_SIGNED}",
            _FRAGILE_FIELDS,
        )
        unsigned = f"{path}?{'&'.join(fields)}"
        signature = compute_signature(
            self.secret_key, method, unsigned, {"host": host, "content-type": content_type or ""}
        )
        return f"{unsigned}&{SIGNATURE}={signature}"

    def verify_target(self, method: str, target: str, now: float, headers: Mapping[str, str]) -> S3Error | None:
        """Return the error of a request for *target*, verbatim from the request line; None if the URL is valid."""
        pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
        fields = dict(pairs)
        if SIGNATURE not in fields:
            return UNSIGNED
        expected = compute_signature(self.secret_key, method, target, headers)
        stated = "".join(value for name, value in pairs if name == SIGNATURE)
        if not hmac.compare_digest(stated.encode(), expected.encode()):
            is_ours = fields.get("X-Amz-Credential", "").startswith(f"{self.access_key}/")
            return MISMATCH if is_ours else UNKNOWN_KEY
        return EXPIRED if self._is_expired(fields, now) else None

    def _is_expired(self, fields: Mapping[str, str], now: float) -> bool:
        if "X-Emulated-Expiry" in fields:
            return now >= float(fields["X-Emulated-Expiry"]) or self._generation > int(fields["X-Emulated-Generation"])
        signed_at = datetime.strptime(fields["X-Amz-Date"], _MOMENT).replace(tzinfo=UTC).timestamp()
        return signed_at <= self._expired_at or now >= signed_at + float(fields["X-Amz-Expires"]) / self.time_scale
