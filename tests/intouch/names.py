"""A resolver for tests: answers what it was told, with other addresses the next time if it was told so, and counts."""

from __future__ import annotations

import asyncio
import socket

from aiohttp.abc import AbstractResolver


class Names(AbstractResolver):
    """Each name has answers, each a list of addresses: the next look-up gets the next one, the last one stays.

    An unknown name raises OSError, as the system's resolver does. `asked` are the names in their order.
    """

    def __init__(self, **answers):
        self.answers = {name.replace("_", "."): list(lists) for name, lists in answers.items()}
        self.asked = []
        self.is_closed = False

    async def resolve(self, host, port=0, family=socket.AF_INET):  # noqa: ARG002 - the library's signature
        self.asked.append(host)
        if host not in self.answers:
            raise OSError("no such name")
        answers = self.answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in addresses
        ]

    async def close(self):
        self.is_closed = True


class Mute(Names):
    """A resolver that never answers, until its caller gives up."""

    async def resolve(self, host, port=0, family=socket.AF_INET):  # noqa: ARG002 - the library's signature
        self.asked.append(host)
        await asyncio.Event().wait()
