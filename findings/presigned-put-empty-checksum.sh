#!/usr/bin/env bash
# AWS's presigner for JavaScript signs the checksum of an empty body into a URL that somebody else will upload to.
#
# Versions:  @aws-sdk/client-s3 3.1175.0, @aws-sdk/s3-request-presigner 3.1169.0.
# Input:     a presigned PUT of an object whose content is not known yet.
# Seen:      the query has `x-amz-checksum-crc32=AAAAAA==`, the CRC-32 of no bytes, unless the client is made with
#            requestChecksumCalculation: "WHEN_REQUIRED".
# Matters:   a storage that checks it refuses every upload but the empty one, with an error about the body; one that does
#            not check stores a wrong checksum. The uploader cannot mend it: the query is signed.
. "$(dirname "$0")/lib/run.sh"
run_node @aws-sdk/client-s3@3.1175.0 @aws-sdk/s3-request-presigner@3.1169.0 <<'JS'
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const credentials = { accessKeyId: "id", secretAccessKey: "secret" };
const presign = async (options) => {
  const client = new S3Client({ region: "us-east-1", endpoint: "http://127.0.0.1:1", credentials, ...options });
  const url = await getSignedUrl(client, new PutObjectCommand({ Bucket: "b", Key: "prompts.jsonl" }));
  return new URL(url).searchParams.get("x-amz-checksum-crc32");
};
const seen = [await presign({}), await presign({ requestChecksumCalculation: "WHEN_REQUIRED" })];
console.log("by default", seen[0], "- when required", seen[1]);
if (JSON.stringify(seen) !== JSON.stringify(["AAAAAA==", null])) throw new Error("The behaviour has changed.");
JS
