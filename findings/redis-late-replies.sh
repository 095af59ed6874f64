#!/usr/bin/env bash
# redis-py runs a script eleven times when the server is slow: a late reply is retried like a lost one.
#
# Versions:  redis 8.1.0, with its defaults but for socket_timeout.
# Input:     one EVALSHA and one INCR to a server that takes every command and replies after the client's time limit.
# Seen:      the server gets each command 11 times within 5 s; the caller sees one TimeoutError.
# Matters:   a script that takes from a budget, or an INCR that counts requests, is not idempotent: a Redis that pauses
#            for a second spends the budget of eleven requests. Retries have to be switched off (retry=None is not the
#            default), or every command needs an id.
. "$(dirname "$0")/lib/run.sh"
run_python redis==8.1.0 <<'PY'
import collections
import socket
import threading

import redis
from serve import expect, outcome

seen = collections.Counter()


def read_command(stream):
    """Return the words of the next command of the protocol; an empty list at the end."""
    count = stream.readline()
    return [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(count[1:]))] if count else []


def serve(connection):
    with connection, connection.makefile("rb") as stream:
        while words := read_command(stream):
            name = words[0].decode().upper()
            seen[name] += 1
            if name == "CLIENT":
                connection.sendall(b"+OK\r\n")  # all others are carried out, and answered too late


def accept(listening):
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listening,), daemon=True).start()
client = redis.Redis(port=listening.getsockname()[1], protocol=2, socket_timeout=0.1)
errors = [outcome(lambda: client.evalsha("a" * 40, 0)), outcome(lambda: client.incr("requests"))]
timeout = "TimeoutError: Timeout reading from socket"
expect(
    {"errors": errors, "EVALSHA": seen["EVALSHA"], "INCRBY": seen["INCRBY"]},
    {"errors": [timeout, timeout], "EVALSHA": 11, "INCRBY": 11},
)
PY
