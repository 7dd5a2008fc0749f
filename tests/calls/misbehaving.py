"""An Intouch that misbehaves, as a real server: once or for ever, and then it is well and answers as the stand-in does.

Each misbehaviour is a function of one `Talk`. What had its effect and what was only seen is counted apart.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from intouch.servers import http

from pipeline.intouch.client import ANSWER_BYTES_MAX
from pipeline.local.intouch_answers import Answers

HANG_S_MAX = 30.0
DRIP_S = 0.01


class Sent(NamedTuple):
    """A call as it came; `body` is None where it was not read."""

    head: bytes
    body: bytes | None


class Talk:
    """One call on one connection, from the server's side."""

    def __init__(self, liar: Liar, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._liar, self._head, self._reader, self._writer = liar, head, reader, writer
        self._body = b""
        self.is_over = False  # the connection is of no more use
        liar.sent.append(Sent(head, None))

    async def read(self) -> None:
        """The body."""
        lines = self._head.lower().split(b"\r\n")
        [length] = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        self._body = await self._reader.readexactly(length)
        self._liar.sent[-1] = Sent(self._head, self._body)

    def apply(self) -> bytes:
        """Do what was asked for; gives the answer of a server that is well."""
        method, target, _ = self._head.decode().split(" ", 2)
        answer = self._liar.answers.to(method, target.partition("?")[0], body=self._body.decode())
        self._liar.effects += answer.applied
        return http(json.dumps(answer.body).encode(), status=answer.status)

    async def say(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    def reset(self) -> None:
        """End the connection with a RST, whatever is under way."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()
        self.is_over = True

    async def hung_up(self, within_s: float = HANG_S_MAX) -> bool:
        """The other side has gone, or goes within this time."""
        try:
            async with asyncio.timeout(within_s):
                self.is_over = not await self._reader.read(1)
        except ConnectionError:
            self.is_over = True
        except TimeoutError:
            return False
        return self.is_over


Misbehaviour = Callable[[Talk], Awaitable[None]]


async def reset_unread(talk: Talk) -> None:
    """Nothing of the body was read, and nothing happened."""
    talk.reset()


async def reset_read(talk: Talk) -> None:
    """All was read and done, and nothing was said."""
    await talk.read()
    talk.apply()
    talk.reset()


async def hang(talk: Talk) -> None:
    """All was read; nothing was done and nothing said."""
    await talk.read()
    await talk.hung_up()


async def drip(talk: Talk) -> None:
    """It was done; the answer comes byte by byte, each in time."""
    await talk.read()
    for byte in talk.apply():
        await talk.say(bytes([byte]))
        if await talk.hung_up(DRIP_S):
            return


async def wrong_json(talk: Talk) -> None:
    """It was done; the answer is cut in the middle of its JSON and says that it is whole."""
    await talk.read()
    body = talk.apply().partition(b"\r\n\r\n")[2]
    await talk.say(http(body[: len(body) // 2], status=200))


async def huge(talk: Talk) -> None:
    """It was done; the answer is good, and followed by more blanks than anybody reads."""
    await talk.read()
    body = talk.apply().partition(b"\r\n\r\n")[2]
    await talk.say(http(body + b" " * ANSWER_BYTES_MAX, status=200))


async def success_then_reset(talk: Talk) -> None:
    """It was done, the whole answer was sent, and then the connection was reset."""
    await talk.read()
    await talk.say(talk.apply())
    talk.reset()


async def success_cut_off(talk: Talk) -> None:
    """It was done, and the connection was reset before the end of the answer."""
    await talk.read()
    await talk.say(talk.apply()[:-1])
    talk.reset()


async def late(talk: Talk) -> None:
    """It is done when the caller has given up."""
    await talk.read()
    await talk.hung_up()
    talk.apply()


def says(status: int, *headers: str) -> Misbehaviour:
    """All was read, nothing was done, and this is the answer, with a page for people."""

    async def answer(talk: Talk) -> None:
        await talk.read()
        await talk.say(http(b"<html>sorry</html>", status=status, headers=headers))

    return answer


async def _well(talk: Talk) -> None:
    await talk.read()
    await talk.say(talk.apply())


class Liar:
    """One origin, which misbehaves so many times. It refuses connections until it listens."""

    def __init__(self, misbehaviour: Misbehaviour, times: float) -> None:
        self._misbehaviour, self._times = misbehaviour, times
        self.answers = Answers()
        self.sent: list[Sent] = []
        self.effects = 0
        self.talking = 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: Any = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._handle, sock=self._socket)

    async def close(self) -> None:
        if self._server is None:
            self._socket.close()
        else:
            self._server.close()
            await self._server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_over = False
        while not is_over:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break  # the other side is done with this connection
            is_over = await self._talk(Talk(self, head, reader, writer))
        writer.close()

    async def _talk(self, talk: Talk) -> bool:
        is_well = len(self.sent) > self._times
        self.talking += 1
        try:
            await (_well if is_well else self._misbehaviour)(talk)
        except ConnectionError:
            return True  # the other side did not wait for the end
        finally:
            self.talking -= 1
        return talk.is_over
