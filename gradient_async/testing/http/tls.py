"""A certificate authority of the emulator's own, for TLS on its hosts.

Contract: keys exist in memory only; the certificate of the authority is also in a temporary file, which clients in
other languages can be told to trust. The package that makes them is an extra, imported with the first certificate.
Source: trustme's documentation; RFC 5280 for what a client checks.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from types import ModuleType

import attrs

NAMES = ("localhost", "127.0.0.1", "::1")


@attrs.frozen
class LocalAuthority:
    """A new authority and its certificate for one server.

    Attributes:
        server_context: The context of the server.
        client_context: The context of a client that trusts the authority and no other.
        ca_file: The certificate of the authority, in PEM.
    """

    server_context: ssl.SSLContext
    client_context: ssl.SSLContext
    ca_file: Path
    _directory: tempfile.TemporaryDirectory[str] = attrs.field(repr=False)

    @classmethod
    def issue_certificate(cls, host: str) -> LocalAuthority:
        """Make an authority and its certificate for *host* and the names and addresses of loopback.

        Raises:
            ImportError: The package ``trustme`` is not installed.
        """
        trustme = _import_trustme()
        authority = trustme.CA()
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.issue_cert(*dict.fromkeys((host, *NAMES))).configure_cert(server)
        authority.configure_trust(client)
        directory = tempfile.TemporaryDirectory(prefix="gradient-emulator-")
        ca_file = Path(directory.name) / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        return cls(server, client, ca_file, directory)

    def delete_file(self) -> None:
        """Delete the file with the certificate."""
        self._directory.cleanup()


def _import_trustme() -> ModuleType:
    try:
        import trustme  # of an extra
    except ImportError as error:
        message = "An emulator with TLS needs the package trustme: pip install 'gradient-async[testing]'"
        raise ImportError(message) from error
    return trustme
