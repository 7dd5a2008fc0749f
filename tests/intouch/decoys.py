"""Places that nobody may connect to. Plain listening sockets: the kernel completes a connection and keeps it in the
socket's queue, even if its other end closes at once, so none that was ever made can be missed.
"""

from __future__ import annotations

import errno
import socket
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

# 127.0.0.2 exists where the whole loopback network does, ::1 where there is IPv6.
_TRIES = 10
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Decoy:
    """One listening socket."""

    def __init__(self, listening):
        self._listening = listening
        address, port = listening.getsockname()[:2]
        self.address = f"[{address}]" if ":" in address else address
        self.place = f"{self.address}:{port}"

    def noticed(self):
        """How many connections were made since this was asked last."""
        count = 0
        while True:
            try:
                made, _ = self._listening.accept()
            except BlockingIOError:
                return count
            made.close()
            count += 1


@asynccontextmanager
async def among_decoys(make_server, *more):
    """(a server, its port, decoys): on the same port of the machine's other addresses, and at `more` places.

    The kernel chooses the port for the server alone, so one of the others may be taken: then it is asked again.
    """
    async with AsyncExitStack() as stack:
        for _ in range(_TRIES):
            attempt = AsyncExitStack()
            server = await attempt.enter_async_context(make_server())
            port = int(server.origin.rpartition(":")[2])
            try:
                around = attempt.enter_context(decoys(*more, ("127.0.0.2", port), ("::1", port)))
            except OSError:
                await attempt.aclose()
                continue
            stack.push_async_exit(attempt)
            break
        yield server, port, around


@contextmanager
def decoys(*places):
    """Listens at each (address, port) that this machine has; port 0 is one of the kernel's choice."""
    with ExitStack() as stack:
        yield [Decoy(made) for place in places if (made := _listening(stack, *place))]


def _listening(stack, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.bind((address, port))
    except OSError as problem:
        if problem.errno in _NOT_HERE:
            return None
        raise
    sock.listen(128)
    sock.setblocking(False)
    return sock
