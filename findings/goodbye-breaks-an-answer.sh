#!/usr/bin/env bash
# An HTTP/2 server that says it will close, and finishes the answer: three clients drop it, and openai pays twice.
#
# Versions:  httpx 0.28.1, httpx2 2.16.2, niquests 3.21.2, openai 3.57.0, h2 4.4.1 (PyPI); undici 7.30.2 of npm with
#            node 20.20.2.
# Input:     one POST over HTTP/2; the server sends the headers, GOAWAY without an error and with the number of this
#            request's stream, and 0.3 s later the body. RFC 9113, 6.8, has streams up to that number complete. Only the
#            first connection of each client says so, and for undici node's own server does.
# Seen:      httpx, httpx2 and undici raise for the stream that is named; niquests returns the answer. openai, over
#            either of its HTTP clients, takes it for a lost connection and sends the prompt again: two are answered.
# Matters:   a server says goodbye before each restart, and after so many requests. With HTTP/2 all streams share the
#            connection, so every long answer that runs is lost at once, or silently paid a second time.
. "$(dirname "$0")/lib/run.sh"
run_python 'httpx[http2]==0.28.1' 'httpx2[http2]==2.16.2' niquests==3.21.2 openai==3.57.0 h2==4.4.1 <<'PY'
import contextlib
import itertools
import json
import socket
import threading
import time

import httpx
import httpx2
import niquests
import openai
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded
from hyperframe.frame import GoAwayFrame
from serve import MESSAGES, expect, outcome

choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
ANSWER = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}).encode()


class Service:
    """Answers over HTTP/2 without TLS; its first connection says that it will close, then answers."""

    def __init__(self):
        self.listener, self.answered = socket.create_server(("127.0.0.1", 0)), 0
        self.root = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in itertools.count():
            threading.Thread(target=self.serve, args=(self.listener.accept()[0], number == 0), daemon=True).start()

    def serve(self, connection, closes):
        protocol = H2Connection(H2Configuration(client_side=False))
        protocol.initiate_connection()
        with contextlib.suppress(OSError), connection:
            connection.sendall(protocol.data_to_send())
            while data := connection.recv(65536):
                for event in protocol.receive_data(data):
                    if isinstance(event, StreamEnded):
                        self.answer(protocol, connection, event.stream_id, closes)
                connection.sendall(protocol.data_to_send())

    def answer(self, protocol, connection, stream, closes):
        self.answered += 1
        protocol.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        goodbye = GoAwayFrame(last_stream_id=stream).serialize() if closes else b""
        connection.sendall(protocol.data_to_send() + goodbye)
        time.sleep(0.3)
        protocol.send_data(stream, ANSWER, end_stream=True)


def post(client):
    service = Service()
    got = outcome(lambda: client.post(service.root, json={}).content == ANSWER)
    return (got if got is True else got.split(":")[0]), service.answered


def ask(module):
    service = Service()
    http_client = module.Client(http1=False, http2=True)
    client = openai.OpenAI(base_url=service.root, api_key="k", http_client=http_client)
    answer = client.chat.completions.create(model="m", messages=MESSAGES)
    return answer.choices[0].message.content, service.answered


expect(
    {
        "httpx": post(httpx.Client(http1=False, http2=True)),
        "httpx2": post(httpx2.Client(http1=False, http2=True)),
        "niquests": post(niquests.Session(disable_http1=True)),
        "openai on httpx2": ask(httpx2),
        "openai on httpx": ask(httpx),
    },
    {
        "httpx": ("RemoteProtocolError", 1),
        "httpx2": ("RemoteProtocolError", 1),
        "niquests": (True, 1),
        "openai on httpx2": ("Hi", 2),
        "openai on httpx": ("Hi", 2),
    },
)
PY
run_node undici@7.30.2 <<'JS'
import http2 from "node:http2";
import { Agent, fetch } from "undici";

const server = http2.createServer();
server.on("session", (session) => {
  session.on("stream", (stream) => {
    stream.resume().on("end", () => {
      stream.respond({ ":status": 200 });
      session.close();
      setTimeout(() => stream.end("Hi"), 300);
    });
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;
const readWithNode = () =>
  new Promise((resolve, reject) => {
    let text = "";
    const request = http2.connect(url).request({ ":method": "POST", ":path": "/" });
    request.on("data", (data) => (text += data)).on("end", () => resolve(text)).on("error", reject);
    request.end("{}");
  });
const dispatcher = new Agent({ allowH2: true, useH2c: true, connections: 1 });
const readWithUndici = async () => (await fetch(url, { method: "POST", body: "{}", dispatcher })).text();
const lost = await readWithUndici().catch((error) => `${error.message}: ${error.cause.message}`);
const seen = [await readWithNode(), lost];
console.log("node:http2", seen[0], "- undici", seen[1]);
const expected = ["Hi", 'terminated: HTTP/2: "GOAWAY" frame received with code 0'];
if (seen.join() !== expected.join()) throw new Error("The behaviour has changed.");
process.exit();
JS
