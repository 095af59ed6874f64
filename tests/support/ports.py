"""Free ports of loopback for servers that cannot choose one themselves.

They lie below the ports of clients: a server starts long after its port was chosen, and the connection of another test
could take one of those meanwhile.
"""

import contextlib
import random
import socket


def find_free_port() -> int:
    """Return a port that nothing listens on, and for which a cluster has a second one, 10,000 higher."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 10_000))
            return port


def take_ports(count: int) -> list[int]:
    """Return *count* different free ports."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(find_free_port())
    return list(ports)
