"""The demo's story: the maker submits, the checker decides what the events announce, and both watch what becomes of it.

Everything goes through the public topics, as with any other client. Whether all ended as announced is judged here.
"""

from __future__ import annotations

import asyncio
import time
import uuid

from rich.console import Console
from rich.text import Text

from pipeline.client.board import Board
from pipeline.client.kafka import ClientError, Publisher, Reader, publishing, reading
from pipeline.client.looks import ID_START, event_line
from pipeline.client.speaking import Speaker, decision, mint_token, submission
from pipeline.client.told import Told, read_told
from pipeline.domain.messages import DEAD_LETTERS, EVENTS
from pipeline.domain.states import State
from pipeline.local.demo_cast import CAST, CHECKER, MAKER, ORG, Role
from pipeline.local.demo_end import Part, body_line, call_line, full_call, summary
from pipeline.local.intouch import StandIn
from pipeline.local.worker import LocalWorker
from pipeline.settings import Settings

STORY_S_MAX = 90.0
LOG_LINES = 15


class Play:
    """One performance."""

    def __init__(
        self, settings: Settings, console: Console, stand_in: StandIn, worker: LocalWorker, origin: str
    ) -> None:
        self._settings, self._console, self._origin = settings, console, origin
        self._stand_in, self._worker = stand_in, worker
        self._parts = [Part(role, uuid.uuid4().hex) for role in CAST]
        self._known = {part.api_request_id: part for part in self._parts}  # and, once told, by requestId
        self._calls_shown = 0
        self._decided: set[str] = set()

    async def perform(self) -> bool:
        """Play it to its end and show it; True when every request ended as announced."""
        began = time.monotonic()
        problem = await self._tell()
        dead = await self._dead_letters()
        self._console.print()
        self._console.print(summary(self._parts))
        is_good = problem is None and all(part.is_as_announced for part in self._parts)
        if not is_good:
            self._explain(problem, dead)
        good = sum(part.is_as_announced for part in self._parts)
        self._console.print(
            f"{good} of {len(self._parts)} requests ended as announced, {len(self._stand_in.calls)} calls to Intouch,"
            f" {len(dead)} dead letters, {time.monotonic() - began:.1f} s."
        )
        return is_good

    async def _tell(self) -> str | None:
        """The story; what went wrong with it as a whole, or None."""
        try:
            async with (
                asyncio.timeout(STORY_S_MAX),
                publishing(self._settings) as publisher,
                reading(self._settings, EVENTS) as reader,
            ):
                with Board(
                    self._console, waits_for="the worker takes a few seconds to come up", keeps_table=False
                ) as board:
                    for heading, parts in self._acts():
                        board.say(Text(f"{heading}\n", "bold underline"))
                        await self._submit(parts, publisher, board)
                        await self._watch(parts, publisher, reader, board)
                        self._close_act(parts, board)
        except TimeoutError:
            return f"The story did not end within {STORY_S_MAX:.0f} s."
        except ClientError as problem:
            return str(problem)
        if self._worker.exit_code is not None:
            return f"The worker ended in the middle of the story, with exit code {self._worker.exit_code}."
        return None

    def _acts(self) -> tuple[tuple[str, list[Part]], ...]:
        first, *others = self._parts
        return (
            ("1. One request, from the wish to the call", [first]),
            ("2. Six more at once: one will be rejected, one refused by Intouch", others),
        )

    async def _submit(self, parts: list[Part], publisher: Publisher, board: Board) -> None:
        token = mint_token(self._settings, user_id=MAKER, org_id=ORG, rights=("make",))
        for part in parts:
            role = part.role
            maker = Speaker(ORG, token, part.api_request_id)
            await publisher.publish(submission(role.document(self._origin), maker, request_type=role.request_type))
            self._say(board, f"maker {MAKER} asks: {role.title}", role)

    async def _watch(self, parts: list[Part], publisher: Publisher, reader: Reader, board: Board) -> None:
        while not all(part.last and part.last.is_ending for part in parts):
            records = await reader.more()
            self._show_calls(board)
            for record in records:
                told = read_told(record)
                if told is not None and board.show(told):
                    await self._react(told, publisher, board)
            if self._worker.exit_code is not None:
                return

    def _close_act(self, parts: list[Part], board: Board) -> None:
        """After the first act there is one call, and it is worth a closer look."""
        if len(parts) == 1 and self._stand_in.calls:
            board.say(full_call(self._stand_in.calls[0]))

    async def _react(self, told: Told, publisher: Publisher, board: Board) -> None:
        part = self._known.get(told.request_id) or self._known.get(told.event.api_request_id)
        if part is None:
            return
        self._known[told.request_id] = part
        part.take(told)
        if told.state is State.ADMIN_TASK and told.request_id not in self._decided:
            self._decided.add(told.request_id)
            await self._decide(part.role, told, publisher)
            short = told.request_id[:ID_START]
            self._say(board, f"checker {CHECKER}: {part.role.word} {short}, “{part.role.message}”", part.role)

    async def _decide(self, role: Role, told: Told, publisher: Publisher) -> None:
        """With the digest: the decision counts only for exactly what was shown."""
        token = mint_token(self._settings, user_id=CHECKER, org_id=ORG, rights=("check",))
        checker = Speaker(ORG, token, uuid.uuid4().hex)
        await publisher.publish(decision(told.request_id, role.word, checker, message=role.message, digest=told.digest))

    def _show_calls(self, board: Board) -> None:
        calls = list(self._stand_in.calls)
        for call in calls[self._calls_shown :]:
            board.say(call_line(call))
            board.quote(body_line(call))
        self._calls_shown = len(calls)

    def _say(self, board: Board, words: str, role: Role) -> None:
        board.say(Text.assemble((f"  → {words}", "bold"), (f"  {role.request_type}", "bright_black")))

    async def _dead_letters(self) -> list[str]:
        """The reasons of what nobody could use: there should be none."""
        try:
            async with reading(self._settings, DEAD_LETTERS) as reader:
                return [record.header("rw-reason") or "?" async for record in reader.to_end()]
        except ClientError as problem:
            return [str(problem)]

    def _explain(self, problem: str | None, dead: list[str]) -> None:
        """What did not go as announced, as far as it can be seen from here."""
        say = self._console.print
        if problem is not None:
            say(Text(problem, "bold red"))
        for part in self._parts:
            if not part.is_as_announced:
                say(Text(f"Not as announced: {part.role.request_type}, {part.role.title}", "bold red"))
                if part.last is not None:
                    say(event_line(part.last), soft_wrap=True)
        if dead:
            say(f"Dead letters: {', '.join(dead)}")
        say(f"The worker's last lines (it {_life(self._worker)}):")
        for line in self._worker.last_lines(LOG_LINES):
            say(Text(f"  {line}"), soft_wrap=True)


def _life(worker: LocalWorker) -> str:
    return "still runs" if worker.exit_code is None else f"ended with exit code {worker.exit_code}"
