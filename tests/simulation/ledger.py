"""The truth about what came first: what approval heard of each request, in the order of its inbox.

Settings may change between a crash and the replay, so one submission may be heard as good and as refused; the first
thing that approval heard of a requestId counts, for as long as it is remembered. The same holds for decisions: the
first valid one in this order wins. What follows from that is a model of its own, simpler than the pipeline's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.inputs import Wish, Word
from simulation.letters import dead_by_place
from simulation.stories import Story, Telling

Place = tuple[int, int]  # partition and offset in a public topic
PROGRESS = {"ValidateMakerAccess", "ValidatePayload"}


class Heard(NamedTuple):
    """One record of approval's inbox; `origin` is the place and time of the public record that it goes back to."""

    kind: str
    request_id: str
    at_ms: int
    origin: tuple[Place, int] | None = None
    codes: tuple[str, ...] = ()


def heard_in(value: bytes, at_ms: int) -> Heard:
    """What these bytes of approval's inbox say."""
    said = json.loads(value.partition(b"\n")[0])
    about = said.get("request", said)
    _, partition, offset, time_ms = about.get("origin") or (None, 0, 0, 0)
    origin = ((partition, offset), time_ms) if "origin" in about else None
    codes = tuple(fault["code"] for fault in said.get("faults", ()))
    return Heard(said["kind"], about["request_id"], at_ms, origin, codes)


@dataclass
class Known:
    """What the model holds of one requestId while it walks through the inbox."""

    wish: Wish | None = None
    story: Story | None = None
    is_decided: bool = False
    ended_ms: int | None = None  # when approval heard how it ended
    used_ms: int = 0  # when approval heard last that its key was used again
    may_be_over: bool = False
    forgotten: int = 0  # how often

    def ends(self, at_ms: int) -> None:
        """Approval hears of the ending, now or before."""
        self.ended_ms = at_ms if self.ended_ms is None and self.wish else self.ended_ms

    def forget(self) -> None:
        """Nothing is known any more."""
        self.wish, self.story, self.may_be_over, self.forgotten = None, None, False, self.forgotten + 1


@dataclass
class Ledger:
    """Judges submissions and decisions by what approval heard of them."""

    evidence: Any
    telling: Telling
    dead_wishes: dict[Place, set[str]] = field(init=False)
    dead_words: dict[Place, set[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.dead_wishes, self.dead_words = (
            dead_by_place(self.evidence.letters, topic) for topic in ("requests.submitted", "decisions.submitted")
        )
        self._wishes = {wish.place: wish for wish in self.evidence.wishes}
        self._words = {word.place: word for word in self.evidence.words}
        self._may_be: dict[Place, set[str]] = defaultdict(set)  # for what a decision may have been buried
        self._fates: dict[Place, set[str]] = defaultdict(set)  # what a submission came to, each time it was heard
        self._valid: dict[int, list[Word]] = defaultdict(list)  # by life

    def valid_of(self, story: Story) -> list[Word]:
        """The decisions that could count in this life of the request, in the inbox's order."""
        return self._valid[id(story)]

    def audit(self) -> list[str]:
        """Walks through the inbox, request by request; then looks at what never came there."""
        heard: dict[str, list[Heard]] = defaultdict(list)
        for one in self.evidence.heard:
            heard[one.request_id].append(one)
        found = [sentence for rid, ones in heard.items() for sentence in self._walk(rid, ones)]
        return [*found, *self._audit_names(), *self._audit_wishes(), *self._audit_words()]

    def _walk(self, rid: str, ones: list[Heard]) -> Iterator[str]:
        known, lives = Known(), list(self.telling.lives.get(rid, []))
        for one in ones:
            if one.kind in ("pending", "refused"):
                yield from self._submitted(rid, known, lives, one)
            elif one.kind == "verdict":
                yield from self._decided(rid, known, one)
            elif one.kind == "ended":
                known.ends(one.at_ms)
            elif self._is_over(known, one.at_ms):
                known.forget()
        for one in (
            ones if known.forgotten or known.may_be_over else ()
        ):  # a crash may make approval hear the last of them again by then
            if one.kind == "verdict" and one.origin is not None:
                self._may_be[one.origin[0]].add("unknown-request")
        yield from (f"{rid} lives again, and approval heard of no reason" for _ in lives)

    def _is_over(self, known: Known, at_ms: int) -> bool:
        """A reminder at this time makes approval forget.

        The term begins when approval hears of the ending, or later, when it hears that the key is used again; at which
        moment of that hearing, nobody can tell: from the term after the ending itself on, it may be over.
        """
        story, term_ms = known.story, self.evidence.remember_ms
        if story is None or story.ended_ms is None or term_ms is None:
            return False
        if story.is_expired and at_ms >= story.ended_ms:
            known.ends(at_ms)
        known.may_be_over |= at_ms >= story.ended_ms + term_ms
        return known.ended_ms is not None and at_ms >= max(known.ended_ms, known.used_ms) + term_ms

    # -- submissions

    def _submitted(self, rid: str, known: Known, lives: list[Story], one: Heard) -> Iterator[str]:
        assert one.origin is not None
        wish = self._wishes.get(one.origin[0])
        if wish is None:
            yield f"{rid}: approval heard of a submission that nobody made"
            return
        is_good = one.kind == "pending"
        if wish.fate != "good" and is_good:
            yield f"{rid}: the submission {wish.place} is {wish.fate} and was let through"
        if wish.fate == "good" and not is_good and not set(one.codes) <= self.evidence.changing:
            yield f"{rid}: the submission {wish.place} is good and was refused for {one.codes}"
        if known.may_be_over and lives and lives[0].first_id == wish.api_request_id:
            known.forget()
        if known.wish is None:
            known.wish, known.story, known.used_ms = wish, lives.pop(0) if lives else None, 0
            known.is_decided, known.ended_ms = False, None if is_good else one.at_ms
            self._fates[wish.place].add("first")
            wanted = "AdminTask" if is_good else "failed"
            told = known.story and (known.story.names[0], known.story.first_id)
            if told != (wanted, wish.api_request_id):
                yield f"{rid}: approval heard of {wish.place} first, so {wanted} was to be told, not {told}"
        elif wish.place != known.wish.place:
            known.used_ms = max(known.used_ms, one.at_ms)
            self._fates[wish.place].add("silent" if is_good and wish.mark == known.wish.mark else "conflict")

    def _audit_names(self) -> Iterator[str]:
        """One requestId for each key of each maker in each org, and for each submission without a key."""
        claims: dict[str, Any] = {}
        names: dict[Any, str] = {}
        for one in self.evidence.heard:
            wish = self._wishes.get(one.origin[0]) if one.kind in ("pending", "refused") else None
            if wish is None:
                continue
            claim = (wish.org, wish.maker, wish.key) if wish.key else wish.place
            if claims.setdefault(one.request_id, claim) != claim:
                yield f"{one.request_id} is the name of {claim}, and of {claims[one.request_id]}"
            if names.setdefault(claim, one.request_id) != one.request_id:
                yield f"{claim} is called {one.request_id}, and {names[claim]}"

    def _audit_wishes(self) -> Iterator[str]:
        """Every submission came to something, and to one thing."""
        for wish in self.evidence.wishes:
            fates, dead = self._fates[wish.place], self.dead_wishes.get(wish.place, set())
            if wish.fate == "dead":
                if fates or not dead or (wish.reason and dead != {wish.reason}):
                    yield f"submission {wish.place} was to be buried for {wish.reason}, not {sorted(dead | fates)}"
                continue
            if PROGRESS - self.telling.progress[wish.api_request_id]:
                yield f"submission {wish.place} ({wish.fate}) went its way and was not told"
            if self.evidence.changing and fates == {"silent", "conflict"}:
                fates = {"conflict"}  # good and refused in turn, as settings changed between a crash and the replay
            if len(fates) != 1:
                yield f"submission {wish.place} ({wish.fate}) was to come to one thing, not {sorted(fates)}"
            if dead != ({"idempotency-conflict"} if "conflict" in fates else set()):
                yield f"submission {wish.place} ({wish.fate}) came to {sorted(fates)} and was buried for {sorted(dead)}"

    # -- decisions

    def _decided(self, rid: str, known: Known, one: Heard) -> Iterator[str]:
        assert one.origin is not None
        place, said_ms = one.origin
        word = self._words.get(place)
        if word is None:
            yield f"{rid}: approval heard of a decision that nobody made"
            return
        story = known.story
        self._may_be[place] |= {word.reason} if word.reason else set()
        if known.wish is None or story is None or not story.is_placed or said_ms <= story.began_ms:
            self._may_be[place].add("unknown-request")
            return
        if word.reason is not None:
            return
        if word not in self._valid[id(story)]:
            self._valid[id(story)].append(word)
        if known.is_decided or story.is_automatic:
            return
        known.is_decided = True
        if not story.was_handed_over and story.endings:
            known.ends(one.at_ms)
        if story.is_expired:
            if one.at_ms < (story.ended_ms or 0):
                yield f"{rid}: the decision {place} came in time and the request expired"
        elif story.winner != word.api_request_id:
            yield f"{rid}: the decision {place} was the first valid one and did not win"

    def _audit_words(self) -> Iterator[str]:
        """What could not count is buried, for its reason; so is what no request ever waited for."""
        counted = {word.place for words in self._valid.values() for word in words}
        for word in self.evidence.words:
            dead = self.dead_words.get(word.place, set())
            if word.place not in counted and not dead:
                yield f"decision {word.place} was to be buried ({word.reason}) and was not"
            may_be = {word.reason} if word.reason == "no-right" else self._may_be[word.place] | self._late(word)
            if word.reason in ("wrong-org", "wrong-type"):
                may_be = may_be - {"not-waiting"}
            for reason in dead - may_be:
                yield f"decision {word.place} was buried as {reason}, not as one of {sorted(may_be)}"

    def _late(self, word: Word) -> set[str]:
        """Told again after a crash, a decision may be one on a request that waits no more, if it came to that."""
        lives = self.telling.lives.get(word.request_id, [])
        return {"not-waiting"} if any(not life.is_placed or len(life.states) > 1 for life in lives) else set()
