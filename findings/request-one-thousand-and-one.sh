#!/usr/bin/env bash
# Hypercorn cuts every stream of an HTTP/2 connection at its request 1,001, and node's client gives them a proper end.
#
# Versions:  hypercorn 0.18.0 (PyPI); node 20.20.2 with its own `node:http2`. Both with their defaults.
# Input:     999 short requests over one connection, then two streams of `One` and, half a second later, ` two`; the
#            second one starts when the first has sent `One`, and is request 1,001.
# Seen:      Hypercorn answers request 1,001 with GOAWAY, without an error and with the number of its stream, and then
#            drops the connection when the client says anything more. The first stream is `One`, with the event `end`,
#            without `error` and `aborted`; an `rstCode` of 8 alone tells. RFC 9113, 6.8, has streams up to the number
#            in that frame complete, as node's own server does.
# Matters:   a busy client of a gateway loses all its long answers with each thousand requests, and half of an answer
#            looks whole. Set `keep_alive_max_requests` high, and believe the end that the data has.
. "$(dirname "$0")/lib/run.sh"
run_python hypercorn==0.18.0 <<'PY'
import asyncio
import json
import socket

import hypercorn.asyncio
import hypercorn.config
from serve import expect

NODE = """
import http2 from "node:http2";
const client = http2.connect(process.argv[1]);
const ask = (path, listen = () => {}) => new Promise((resolve) => {
  const [request, events] = [client.request({ ":path": path }), []];
  let text = "";
  request.setEncoding("utf8").on("data", (data) => listen(text += data));
  for (const name of ["end", "aborted", "error"]) request.on(name, () => events.push(name));
  request.on("close", () => resolve([text, events.join(), request.rstCode]));
});
for (let number = 0; number < 999; number++) await ask("/short");
let second;
const first = await ask("/stream", () => (second ??= ask("/stream")));
console.log(JSON.stringify([first, await second]));
process.exit();
"""


async def answer(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"One", "more_body": True})
        await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b" two"})


async def read_with_node(url):
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec("node", "--input-type=module", "-e", NODE, url, stdout=pipe)
    return json.loads((await program.communicate())[0])


async def main():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config, stop = hypercorn.config.Config(), asyncio.Event()
    config.bind, config.errorlog = [address], None
    server = asyncio.create_task(hypercorn.asyncio.serve(answer, config, shutdown_trigger=stop.wait))
    await asyncio.sleep(1)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    first, _ = await read_with_node(f"http://{address}")
    expect({"text, events, rstCode": first}, {"text, events, rstCode": ["One", "end", 8]})
    stop.set()
    await server


asyncio.run(main())
PY
