"""A raw TCP server in a thread of its own, which goes on while the event loop of the test is busy."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Serve = Callable[[socket.socket], object]


@contextlib.contextmanager
def run_thread_server(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Call *serve* with each accepted connection in a thread, then close it; yield ``host:port``."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(connection):
            stream = tls.wrap_socket(connection, server_side=True) if tls is not None else connection
            with contextlib.closing(stream):
                serve(stream)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_sockets.append(connection)
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield "127.0.0.1:{1}".format(*listener.getsockname())
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def receive_request(connection: socket.socket) -> bytes:
    """Return head and body of the next request, ``b""`` if the client has disconnected."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (block := connection.recv(65_536)):
            return b""
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length and (block := connection.recv(65_536)):
        body += block
    return head + b"\r\n\r\n" + body
