#!/usr/bin/env bash
# moto's S3 server does not read presigned URLs: one that expired, one for reading and one that is changed all write.
#
# Versions:  moto 5.2.5, boto3 1.44.8.
# Input:     URLs that boto3 presigns, used for uploads as they are signed and otherwise; and uploads with the MD5 and the
#            CRC-32 of other bytes, which S3 refuses by its documentation with BadDigest.
# Seen:      200 for all, and the new bytes are stored: a URL that was signed to GET replaces the object, one of a second
#            does so after two, the signature may be any, the checksums as well.
# Matters:   links that expire and files that break on their way are how uploads fail, and the tests of both are green,
#            whatever the code does. They need a storage that reads its links.
. "$(dirname "$0")/lib/run.sh"
run_python 'moto[s3,server]==5.2.5' boto3==1.44.8 <<'PY'
import logging
import time
import urllib.error
import urllib.request

import boto3
from moto.server import ThreadedMotoServer
from serve import expect

logging.disable()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": "nyc3"}
client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys)
client.create_bucket(Bucket="batches", CreateBucketConfiguration={"LocationConstraint": "nyc3"})


def presign(method, seconds=60):
    return client.generate_presigned_url(method, Params={"Bucket": "batches", "Key": "o"}, ExpiresIn=seconds)


def put(url, body, **headers):
    request = urllib.request.Request(url, body, {"content-type": "application/jsonl", **headers}, method="PUT")
    try:
        with urllib.request.urlopen(request) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        status = error.code
    return status, client.get_object(Bucket="batches", Key="o")["Body"].read()


brief = presign("put_object", seconds=1)
reading, writing = presign("get_object"), presign("put_object")
signature = writing.partition("X-Amz-Signature=")[2]
time.sleep(2)
digest = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
expect(
    {
        "as it is signed": put(writing, b"first"),
        "expired": put(brief, b"second"),
        "signed to read": put(reading, b"third"),
        "another signature": put(writing.replace(signature, "0" * 64), b"fourth"),
        "another MD5": put(writing, b"fifth", **digest),
        "another CRC-32": put(writing, b"sixth", **{"x-amz-checksum-crc32": "AAAAAA=="}),
    },
    {
        "as it is signed": (200, b"first"),
        "expired": (200, b"second"),
        "signed to read": (200, b"third"),
        "another signature": (200, b"fourth"),
        "another MD5": (200, b"fifth"),
        "another CRC-32": (200, b"sixth"),
    },
)
server.stop()
PY
