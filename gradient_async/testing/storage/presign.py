"""Presigned URLs of the storage host: how they are made, and what is wrong with one.

Contract: pure, time is an argument. A URL is good for one method and until it expires. The signature covers
the request target byte for byte, so a client that decodes, re-encodes or re-orders the query breaks it; the
query is full of characters that tempt one to.
Source: the upload section of the Batch Inference reference ("use it verbatim"); AWS Signature Version 4 for
the names of the parameters and the codes of the errors, an HMAC of the target in place of its canonical form.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import attrs

LIFETIME = 900.0
"""Seconds of emulated time for which a URL is good."""

_SEPARATOR = "&X-Amz-Signature="
_TEMPTING = "X-Amz-Security-Token=do%2Fv1%7Eemulated+token%3D%3D&response-content-disposition=attachment%3B%20a%7Eb"


@attrs.frozen(kw_only=True)
class Fault:
    """An error of the storage host."""

    status: int
    code: str
    message: str


MISMATCH = Fault(
    status=403,
    code="SignatureDoesNotMatch",
    message="The request signature we calculated does not match the signature you provided.",
)
EXPIRED = Fault(status=403, code="AccessDenied", message="Request has expired")
UNSIGNED = Fault(status=403, code="AccessDenied", message="Access Denied")


@attrs.define(kw_only=True)
class Signer:
    """Signs request targets with a key of its own.

    Attributes:
        era: Targets that were signed while it was lower have expired.
    """

    era: int = 0
    _secret: bytes = attrs.field(factory=lambda: os.urandom(32), init=False, repr=False)

    def target(self, method: str, path: str, *, now: float, expires: float) -> str:
        """Return *path* with a query that is good for *method* until *expires*, both times in epoch seconds."""
        moment = datetime.fromtimestamp(now, UTC)
        fields = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential=EMULATED%2F{moment:%Y%m%d}%2Fnyc3%2Fs3%2Faws4_request",
            f"X-Amz-Date={moment:%Y%m%dT%H%M%SZ}",
            f"X-Amz-Expires={LIFETIME:.0f}",
            f"X-Emulated-Expiry={expires!r}",
            f"X-Emulated-Era={self.era}",
            "X-Amz-SignedHeaders=host",
            _TEMPTING,
        )
        unsigned = f"{path}?{'&'.join(fields)}"
        return unsigned + _SEPARATOR + self._signature(method, unsigned)

    def fault(self, method: str, target: str, now: float) -> Fault | None:
        """Return what is wrong with *target*, as it stood on the request line; None if nothing is."""
        unsigned, separator, signature = target.partition(_SEPARATOR)
        if not separator:
            return MISMATCH if "X-Amz-Signature" in target else UNSIGNED
        if not hmac.compare_digest(signature.encode(), self._signature(method, unsigned).encode()):
            return MISMATCH
        said = parse_qs(urlsplit(unsigned).query)
        expired = now >= float(said["X-Emulated-Expiry"][0]) or self.era > int(said["X-Emulated-Era"][0])
        return EXPIRED if expired else None

    def _signature(self, method: str, unsigned: str) -> str:
        return hmac.new(self._secret, f"{method}\n{unsigned}".encode(), hashlib.sha256).hexdigest()
