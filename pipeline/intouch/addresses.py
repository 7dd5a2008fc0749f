"""The address of a call: looked up once per connection, checked, and that very one connected to (contract, section 8).

Two places ask the same question, because aiohttp looks nothing up where an origin holds an address itself: the resolver
drops what may not be called from the answer of a look-up, and no socket is made for an address that may not be called.
Which ones these are is said in `domain.addresses`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.domain.addresses import is_forbidden, read_address


class ForbiddenAddress(Exception):
    """There is no address but such as are never connected to. Nothing was sent. No OSError, which would read as one of
    the network, and be taken for a host that is away.
    """


_Name = tuple[str, int, socket.AddressFamily]


class CheckedResolver(AbstractResolver):
    """Another resolver's answers without the addresses that are never connected to.

    Calls that ask for a name while it is being looked up share the answer: a look-up keeps a thread of a small pool
    until the system gives up, however short its caller's time is, and those of a name that hangs would keep them all.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner
        self._running: dict[_Name, asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """What may be connected to, in the order of the answer.

        Raises ForbiddenAddress where the name has addresses, but none that may be, and OSError where it has none.
        """
        found = await asyncio.shield(self._look_up((host, port, family)))
        if not found:
            raise OSError("the name has no address")
        good = [one for one in found if _may_be_called(one["host"])]
        if not good:
            raise ForbiddenAddress
        return good

    def _look_up(self, name: _Name) -> asyncio.Task[list[ResolveResult]]:
        if name not in self._running:
            task = self._running[name] = asyncio.get_running_loop().create_task(self._inner.resolve(*name))
            task.add_done_callback(lambda _: self._ended(name, task))
        return self._running[name]

    def _ended(self, name: _Name, task: asyncio.Task[list[ResolveResult]]) -> None:
        del self._running[name]
        if not task.cancelled():
            task.exception()  # seen, though all who asked may have given up

    async def close(self) -> None:
        """Calls off what is being looked up, and closes the other resolver."""
        for task in self._running.values():
            task.cancel()
        await self._inner.close()


def checked_socket(facts: Any) -> socket.socket:
    """A socket for this address, the last step before connecting to it; raises ForbiddenAddress for a forbidden one."""
    family, kind, protocol, _, place = facts
    if not _may_be_called(place[0]):
        raise ForbiddenAddress
    return socket.socket(family, kind, protocol)


def _may_be_called(text: str) -> bool:
    """False for a name, too: to connect to a name is to look it up again."""
    address = read_address(text)
    return address is not None and not is_forbidden(address)
