"""Whatever Intouch does to a call: how the request ends, how often it was called, and how often that had an effect.

The table of section 8 of the contract, against real servers, through the real stage, pump, gate and client: every
misbehaviour x every request type x {once, and then Intouch is well; for ever}. A type is one of three kinds: Intouch
dedupes it by a field of its body; a second call has no second effect (the PUT of a status); it must not be repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
from builders import a_pending, a_submission, an_approved, an_origin
from calls import misbehaving as it
from calls.misbehaving import Liar, Misbehaviour
from calls.world import CallWorld

from pipeline.domain import ids
from pipeline.domain.messages import Approved
from pipeline.domain.noted import Noted
from pipeline.domain.request_types import RequestType
from pipeline.domain.tries import Terms

TIMEOUT_S = 0.4  # real seconds: a call that is answered at all is answered in a small part of it
TRIES = 3
# Of the world's clock. A request that is to be held until it fails is held for a time that we can wait for.
TERMS = Terms(max_attempts=TRIES, retry_for_ms=3_600_000, hold_ms=3_600_000)
SHORT = TERMS._replace(hold_ms=30_000)


class Cell(NamedTuple):
    """How the request ends, how many calls were seen, and how many of them had an effect."""

    end: str
    calls: int
    effects: int


class Ends(NamedTuple):
    """By kind of request type."""

    deduped: Cell
    status: Cell
    other: Cell


class Row(NamedTuple):
    """What follows where it misbehaves once, and where it does for ever. None stands for refused connections."""

    misbehaviour: Misbehaviour | None
    once: Ends
    ever: Ends


def all_alike(end: str, calls: int, effects: int) -> Ends:
    return Ends(*[Cell(end, calls, effects)] * 3)


APPROVED, THERE, DOUBT = "approved", "approved: already-there", "IntouchAPITask: in-doubt"
# Nobody knows, and it did nothing: repeated where that is safe.
IDLE = (
    Ends(Cell(APPROVED, 2, 1), Cell(APPROVED, 2, 1), Cell(DOUBT, 1, 0)),
    Ends(Cell(DOUBT, TRIES, 0), Cell(DOUBT, TRIES, 0), Cell(DOUBT, 1, 0)),
)
# Nobody knows, and it did what was asked for: the repetition hears that it is there already.
SECRETLY_DONE = (
    Ends(Cell(THERE, 2, 1), Cell(APPROVED, 2, 2), Cell(DOUBT, 1, 1)),
    Ends(Cell(DOUBT, TRIES, 1), Cell(DOUBT, TRIES, TRIES), Cell(DOUBT, 1, 1)),
)
NOT_NOW = (all_alike(APPROVED, 2, 1), all_alike("failed: retries-exhausted", TRIES, 0))
REFUSED = (all_alike("failed: refused", 1, 0),) * 2
ROWS: dict[str, Row] = {
    "refuse": Row(None, all_alike(APPROVED, 1, 1), all_alike("failed: intouch-unavailable", 0, 0)),
    "reset before the body was read": Row(it.reset_unread, *IDLE),
    "reset after it was read": Row(it.reset_read, *SECRETLY_DONE),
    "hang": Row(it.hang, *IDLE),
    "slow drip": Row(it.drip, *SECRETLY_DONE),
    "400": Row(it.says(400), *REFUSED),
    "403": Row(it.says(403), *REFUSED),
    "404": Row(it.says(404), *REFUSED),
    "429 with Retry-After": Row(it.says(429, "Retry-After: 5"), *NOT_NOW),
    "500": Row(it.says(500), *IDLE),
    "502": Row(it.says(502), *IDLE),
    "503": Row(it.says(503), *IDLE),
    "503 with Retry-After": Row(it.says(503, "Retry-After: 5"), *IDLE),
    "504": Row(it.says(504), *IDLE),
    "wrong JSON": Row(it.wrong_json, *SECRETLY_DONE),
    "redirect": Row(it.says(307, "Location: /elsewhere"), *(all_alike("failed: redirect", 1, 0),) * 2),
    "huge answer": Row(it.huge, *SECRETLY_DONE),
    "success followed by reset": Row(it.success_then_reset, *(all_alike(APPROVED, 1, 1),) * 2),
    "success cut off by a reset": Row(it.success_cut_off, *SECRETLY_DONE),
    "late success after our timeout": Row(it.late, *SECRETLY_DONE),
}
KINDS: dict[RequestType, Callable[[Ends], Cell]] = {
    RequestType.POINTS_REDEMPTION: lambda ends: ends.deduped,
    RequestType.CUSTOMER_STATUS_CHANGE: lambda ends: ends.status,
    RequestType.GOODWILL_POINTS: lambda ends: ends.other,
    RequestType.EARN_BADGE: lambda ends: ends.deduped,
    RequestType.ISSUE_BADGE: lambda ends: ends.deduped,
    RequestType.RETRO_TRANSACTION: lambda ends: ends.other,
}


class Scene(NamedTuple):
    """One request of each type, each to a server of its own, all in one pump."""

    world: CallWorld
    liars: dict[RequestType, Liar]
    approved: dict[RequestType, Approved]

    def told(self, kind: RequestType) -> list[str]:
        return self.world.ends.get(self.approved[kind].about, [])

    def has_held(self) -> bool:
        held = {step.note.request_id for step in self.world.steps if step.note.outcome is Noted.HELD}
        return held == {approved.about for approved in self.approved.values()}

    async def play(self, *, refuses_once: bool) -> None:
        """Until every request has ended, and nothing more happens."""
        for approved in self.approved.values():
            self.world.approve(approved)
        if refuses_once:
            await self.world.when(self.has_held)
            for liar in self.liars.values():
                await liar.listen()
        await self.world.when(lambda: all(self.told(kind) for kind in RequestType))
        looks = len(self.world.censuses)
        await self.world.when(lambda: len(self.world.censuses) >= looks + 3)
        await self.world.when(lambda: not any(liar.talking for liar in self.liars.values()))

    def cell(self, kind: RequestType) -> Cell:
        """What became of it: told once, or it is not one of ours."""
        [end] = self.told(kind)
        return Cell(end, len(self.liars[kind].sent), self.liars[kind].effects)


@pytest.fixture
async def scene_of():
    """Makes scenes with a misbehaviour (None: nobody listens), and ends them."""
    made: list[Scene] = []

    async def make(misbehaviour: Misbehaviour | None, times: float, terms: Terms) -> Scene:
        liars = {kind: Liar(misbehaviour or it.hang, times if misbehaviour else 0) for kind in RequestType}
        approved = {}
        for number, (kind, liar) in enumerate(liars.items()):
            if misbehaviour:
                await liar.listen()
            origin = an_origin(number)
            pending = a_pending(
                kind,
                submission=a_submission(kind, hostname=liar.origin),
                request_id=ids.request_id(origin),
                origin=origin,
            )
            approved[kind] = an_approved(pending)
        world = CallWorld([liar.origin for liar in liars.values()], terms=terms, timeout_s=TIMEOUT_S)
        world.pump.start()
        made.append(Scene(world, liars, approved))
        return made[-1]

    yield make
    for scene in made:
        await scene.world.stop()
        for liar in scene.liars.values():
            await liar.close()


def differences(scene: Scene, expected: Ends) -> dict[RequestType, tuple[Cell, Cell]]:
    """The cells that are not as they must be: found, expected."""
    cells = {kind: (scene.cell(kind), cell_of(expected)) for kind, cell_of in KINDS.items()}
    return {kind: pair for kind, pair in cells.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("is_once", [True, False], ids=["once", "for ever"])
@pytest.mark.parametrize("name", ROWS)
async def test_how_a_misbehaviour_ends(scene_of, name, is_once):
    """As the table says, for each of the types; and what was called again was the very same call."""
    row = ROWS[name]
    refuses = row.misbehaviour is None
    terms = SHORT if refuses and not is_once else TERMS
    scene = await scene_of(row.misbehaviour, 1 if is_once else math.inf, terms)

    await scene.play(refuses_once=refuses and is_once)

    assert differences(scene, row.once if is_once else row.ever) == {}
    for kind, liar in scene.liars.items():
        assert len({sent.head for sent in liar.sent}) <= 1
        bodies = {sent.body for sent in liar.sent} - {None}
        assert bodies <= {scene.approved[kind].pending.texts.body.encode()}


def test_the_table_is_whole():
    """Every request type has its kind, and every misbehaviour that is asked for has its row."""
    assert set(KINDS) == set(RequestType)
    assert len(ROWS) >= 12
