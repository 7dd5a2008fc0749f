"""Canaries: secrets of one's own for each place where a secret may stand, and the search for them in bytes.

Every canary of a run begins with the same mark, then says its kind and number, so that one pass over the bytes finds
them all and a hit says what leaked. The mark is of small letters and digits alone: in JSON, in a URL and under any
upper or lower case it looks the same. No Kafka in here.
"""

from __future__ import annotations

import base64
import random
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Hit(NamedTuple):
    """Where a canary was found, and what stands there."""

    where: str
    form: str
    around: bytes


def forms(text: str) -> dict[str, bytes]:
    """How a text may look in bytes: as it is, in hex, and in base64 at each of the three places of its grid."""
    raw = text.encode()
    found = {"as it is": raw, "in hex": raw.hex().encode()}
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw)
        found[f"in base64, {lead}"] = encoded[-(-lead * 4 // 3) : (lead + len(raw)) // 3 * 4]
    return found


class Canaries:
    """All canaries of one run."""

    def __init__(self, rng: random.Random) -> None:
        self.mark = "".join(rng.choices(_LETTERS, k=18))
        self.planted: Counter[str] = Counter()

    def new(self, kind: str) -> str:
        """One more secret of this kind: 18 letters of the run's mark, the kind, a number."""
        self.planted[kind] += 1
        return f"{self.mark}{kind}{self.planted[kind]:05d}"

    def hits(self, found: Iterable[tuple[str, bytes]]) -> list[Hit]:
        """Every place in these (where, bytes) in which one stands, in any form."""
        patterns = {form: re.compile(re.escape(one), re.IGNORECASE) for form, one in forms(self.mark).items()}
        return [
            Hit(where, form, held[max(0, at.start() - 60) : at.end() + 40])
            for where, held in found
            for form, pattern in patterns.items()
            for at in pattern.finditer(held)
        ]

    def kinds_in(self, found: Iterable[tuple[str, bytes]]) -> set[str]:
        """The kinds that stand there as they are, or inside the middle part of a token."""
        named = re.compile(self.mark.encode() + rb"([a-z]+)\d{5}")
        tokens = re.compile(rb"eyJ[\w-]+\.([\w-]+)\.")
        seen: set[str] = set()
        for _, held in found:
            inner = [base64.urlsafe_b64decode(part + b"==") for part in tokens.findall(held)]
            seen |= {kind.decode() for text in (held, *inner) for kind in named.findall(text)}
        return seen
