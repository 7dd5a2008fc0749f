"""The permission matrix: who x which rights x what x on which request x with which digest and claimed type.

Cells and what the contract says of each (sections 4 and 6), written down once more as a person reads it: the checks in
their order, the first that fails counts, and whoever is not named may nothing. No product rule may be asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from builders import CHECKER, ENTITY, MAKER, ORG, T0

OTHER_ORG = ORG + 1
CLAIMED = {"no type": None, "its type": "goodwill-points", "another type": "earn-badge"}
DIGESTS = ("no digest", "its digest", "another digest")
VERDICTS = ("approved", "rejected")
RESOLUTIONS = ("succeeded", "failed", "retry")

_RIGHTS = ("CanMakeRequest", "CanCheckRequest", "CanResolve")
_NEARLY = ("cancheckrequest", "canmakerequest", "canresolve", "CanCheckRequest ", "CanResolves", "*", "admin")
# Every set of the three rights, and a token full of texts that are none of them.
ROLES: tuple[tuple[str, ...], ...] = (
    *(held for count in range(4) for held in itertools.combinations(_RIGHTS, count)),
    _NEARLY,
)


class Person(NamedTuple):
    """Whoever publishes: the token's bearer, org and entities, and the org header beside it."""

    user_id: int = CHECKER
    org_id: int = ORG
    header_org_id: int = ORG
    entities: tuple[str, ...] | None = None
    token: str = "good"

    @property
    def is_limited_elsewhere(self) -> bool:
        """The token is limited to entities, and none of them is one of the request's."""
        return self.entities is not None and not set(self.entities) & set(ENTITY.values())


PEOPLE: dict[str, Person] = {
    "another person": Person(),
    "another person, of its zone": Person(entities=("1", ENTITY["zoneId"])),
    "another person, of another zone": Person(entities=("1", "2")),
    "another person, of no zone": Person(entities=()),
    "the maker": Person(user_id=MAKER),
    "the maker, of its zone": Person(user_id=MAKER, entities=(ENTITY["zoneId"],)),
    "the maker, of another zone": Person(user_id=MAKER, entities=("1",)),
    "somebody of another org": Person(org_id=OTHER_ORG, header_org_id=OTHER_ORG),
    "the maker's number in another org": Person(user_id=MAKER, org_id=OTHER_ORG, header_org_id=OTHER_ORG),
    "another org, of its zone's number": Person(
        org_id=OTHER_ORG, header_org_id=OTHER_ORG, entities=(ENTITY["zoneId"],)
    ),
    "somebody of no org": Person(org_id=0, header_org_id=0),
    "another org's token under its header": Person(org_id=OTHER_ORG),
    "its token under another org's header": Person(header_org_id=OTHER_ORG),
    "a token that has expired": Person(token="expired"),
    "a token that is forged": Person(token="forged"),
}


class Wish(NamedTuple):
    """One published decision or resolution."""

    person: str
    rights: tuple[str, ...]
    word: str
    claimed: str
    digest: str = "no digest"


class State(NamedTuple):
    """What the expectation needs to know of a request: is it known, does it wait, is its term over."""

    is_known: bool = True
    is_waiting: bool = False
    is_late: bool = False


# What has become of the request by the time at which a decision on it is read; each is made by real folds in the test.
STATES: dict[str, State] = {
    "unknown": State(is_known=False),
    "forgotten": State(is_known=False),
    "refused, being told": State(),
    "refused": State(),
    "waiting": State(is_waiting=True),
    "waiting, term over": State(is_waiting=True, is_late=True),
    "approved, being told": State(),
    "approved": State(),
    "executed": State(),
    "rejected, being told": State(),
    "rejected": State(),
    "expired, being told": State(),
    "expired": State(),
    "auto-approved, being told": State(),
    "auto-approved": State(),
}


def verdicts() -> Iterator[Wish]:
    """Every decision on the desk."""
    for parts in itertools.product(PEOPLE, ROLES, VERDICTS, CLAIMED, DIGESTS):
        yield Wish(*parts)


def resolutions() -> Iterator[Wish]:
    """Every resolution of a doubt."""
    for parts in itertools.product(PEOPLE, ROLES, RESOLUTIONS, CLAIMED):
        yield Wish(*parts)


def _first(rows: Iterable[tuple[bool, str]], otherwise: str) -> str:
    return next((reason for holds, reason in rows if holds), otherwise)


def _at_intake(person: Person, rights: tuple[str, ...], needed: str) -> Iterator[tuple[bool, str]]:
    yield person.token != "good", "bad-token"
    yield person.org_id != person.header_org_id, "org-mismatch"
    yield needed not in rights, "no-right"


def expected_of_verdict(wish: Wish, state: State, *, wants_digest: bool) -> str:
    """The reason of its dead letter, or the decision where it counts."""
    person = PEOPLE[wish.person]
    rows = (
        *_at_intake(person, wish.rights, "CanCheckRequest"),
        (not state.is_known, "unknown-request"),
        (person.org_id != ORG, "wrong-org"),
        (wish.claimed == "another type", "wrong-type"),
        (state.is_late or not state.is_waiting, "not-waiting"),
        (person.user_id == MAKER, "maker-is-checker"),
        (person.is_limited_elsewhere, "out-of-scope"),
        (wants_digest and wish.digest == "no digest", "digest-required"),
        (wish.digest == "another digest", "digest-mismatch"),
    )
    return _first(rows, wish.word)


def expires_by(wish: Wish, state: State) -> bool:
    """A late decision of the request's own org on the request's own type ends it; a stranger's does not."""
    reached = expected_of_verdict(wish, state, wants_digest=False)
    return state.is_late and reached == "not-waiting"


def expected_of_resolution(wish: Wish, *, is_in_doubt: bool) -> str:
    """The reason of its dead letter, or the word where it counts."""
    person = PEOPLE[wish.person]
    rows = (
        *_at_intake(person, wish.rights, "CanResolve"),
        (not is_in_doubt, "not-in-doubt"),
        (person.org_id != ORG, "wrong-org"),
        (wish.claimed == "another type", "wrong-type"),
        (person.user_id == MAKER, "maker-is-checker"),
        (person.is_limited_elsewhere, "out-of-scope"),
    )
    return _first(rows, wish.word)


def expected_of_submission(person: Person, rights: tuple[str, ...], *, is_enabled: bool) -> tuple[str, ...]:
    """The reason of its dead letter, or the codes of its `failed`; AdminTask where it lies on the desk."""
    *dead, (lacks_right, no_right) = _at_intake(person, rights, "CanMakeRequest")
    if reason := _first(dead, ""):
        return (reason,)
    refused = ((lacks_right, no_right), (person.is_limited_elsewhere, "out-of-scope"))
    codes = tuple(code for holds, code in refused if holds)
    return codes or (("AdminTask",) if is_enabled else ("type-disabled",))


WHEN_MS = T0 + 2_000  # when the decisions of the matrix are published
EXPIRED_MS, GOOD_MS = WHEN_MS - 30_000, WHEN_MS + 600_000  # the end of a token, beyond the leeway and before it
