#!/usr/bin/env bash
# moto's S3 server stores an empty object when the upload has the content type of a form, and answers 200.
#
# Versions:  moto 5.2.5, boto3 1.44.8.
# Input:     a PUT of one line of a batch file to a presigned URL, with urllib.request, whose default for a body is
#            `application/x-www-form-urlencoded` (as curl's is for `--data-binary`), and with other types.
# Seen:      the object has 0 bytes for the types of the two kinds of form, and the line for every other type. S3 stores
#            the type as a name beside the bytes, and reads forms in a POST alone.
# Matters:   a test of an upload is green with nothing stored. Uploads name their type, and compare what is stored.
. "$(dirname "$0")/lib/run.sh"
run_python 'moto[s3,server]==5.2.5' boto3==1.44.8 <<'PY'
import logging
import urllib.request

import boto3
from moto.server import ThreadedMotoServer
from serve import expect

logging.disable()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys)
client.create_bucket(Bucket="batches")
line = b'{"custom_id": "one", "body": {}}\n'


def put(**headers):
    url = client.generate_presigned_url("put_object", Params={"Bucket": "batches", "Key": "prompts.jsonl"})
    with urllib.request.urlopen(urllib.request.Request(url, line, headers, method="PUT")) as response:
        stored = client.get_object(Bucket="batches", Key="prompts.jsonl")
        return response.status, stored["ContentType"], stored["Body"].read()


def put_as(kind):
    return put(**{"content-type": kind})


form, parts, octets = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/octet-stream"
expect(
    {"by default": put(), "a form": put_as(parts), "jsonl": put_as("application/jsonl"), "octets": put_as(octets)},
    {
        "by default": (200, form, b""),
        "a form": (200, parts, b""),
        "jsonl": (200, "application/jsonl", line),
        "octets": (200, octets, line),
    },
)
server.stop()
PY
