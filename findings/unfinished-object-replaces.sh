#!/usr/bin/env bash
# A writer that ends in an exception replaces a whole object in a bucket by half of another, in three of five clients.
#
# Versions:  pyarrow 26.0.1, cloudpathlib 0.26.0, obstore 0.12.1 with fsspec 2026.9.0, smart_open 9.0.2; moto 5.2.5 and
#            boto3 1.44.8.
# Input:     an object of ten lines of results, opened for writing in a `with` block that raises after five lines, as it
#            does when a request fails or a task is cancelled. S3 shows an object when its upload is completed.
# Seen:      PyArrow's stream, cloudpathlib and obstore's file system for fsspec complete the upload on the way out, so
#            the five lines are the object now; obstore's own writer and smart_open, plain or to a `.gz`, abort it and
#            leave the ten lines.
# Matters:   a job that fails takes the results of the last one with it, which were paid for, and what reads the object
#            cannot tell. Write results to a file, upload it when it is whole, or to a name of its own.
. "$(dirname "$0")/lib/run.sh"
run_python pyarrow==26.0.1 cloudpathlib==0.26.0 obstore==0.12.1 fsspec==2026.9.0 'smart_open[s3]==9.0.2' 'moto[s3,server]==5.2.5' boto3==1.44.8 <<'PY'
import logging

import boto3
import obstore
import pyarrow.fs
import smart_open
from cloudpathlib import S3Client
from moto.server import ThreadedMotoServer
from obstore.fsspec import FsspecStore
from obstore.store import S3Store
from serve import expect

logging.disable()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
root = f"http://{host}:{port}"
keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
client = boto3.client("s3", endpoint_url=root, region_name="us-east-1", **keys)
client.create_bucket(Bucket="batches")
line = b'{"custom_id": "one"}\n'

arrow = pyarrow.fs.S3FileSystem(access_key="id", secret_key="secret", endpoint_override=root, region="us-east-1")
cloud = S3Client(endpoint_url=root, **keys)
settings = {**keys, "endpoint": root, "region": "us-east-1", "client_options": {"allow_http": True}}
store, files = S3Store("batches", **settings), FsspecStore("s3", **settings)
transport = {"client": client}


def lines_left(key, open_object):
    client.put_object(Bucket="batches", Key=key, Body=line * 10)
    try:
        with open_object(key) as file:
            file.write(line * 5)
            raise InterruptedError
    except InterruptedError:
        return client.get_object(Bucket="batches", Key=key)["Body"].read().count(line)


writers = {
    "pyarrow": lambda key: arrow.open_output_stream(f"batches/{key}"),
    "cloudpathlib": lambda key: cloud.CloudPath(f"s3://batches/{key}").open("wb"),
    "obstore, fsspec": lambda key: files.open(f"s3://batches/{key}", "wb"),
    "obstore": lambda key: obstore.open_writer(store, key),
    "smart_open": lambda key: smart_open.open(f"s3://batches/{key}", "wb", transport_params=transport),
    "smart_open, gzip": lambda key: smart_open.open(f"s3://batches/{key}.gz", "wb", transport_params=transport),
}
expect(
    {name: lines_left("results.jsonl", writer) for name, writer in writers.items()},
    {
        "pyarrow": 5,
        "cloudpathlib": 5,
        "obstore, fsspec": 5,
        "obstore": 10,
        "smart_open": 10,
        "smart_open, gzip": 10,
    },
)
server.stop()
PY
