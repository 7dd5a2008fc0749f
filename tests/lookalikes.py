"""Texts that look like another one: letters that fold to, or are compatible with, the plain ones.

Python's `lower`, `upper` and IGNORECASE take some of them for the letter itself; a comparison without case must not.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict

from hypothesis import strategies as st

_CHARACTERS = [chr(number) for number in range(0x80, 0x20000) if not 0xD800 <= number < 0xE000]


def _looks() -> dict[str, list[str]]:
    """By plain lower-case letter or digit: every other character that some comparison takes for it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for character in _CHARACTERS:
        seen_as = {character.lower(), character.upper().lower(), character.casefold()}
        seen_as.add(unicodedata.normalize("NFKC", character).casefold())
        for plain in seen_as:
            if len(plain) == 1 and plain.isascii():
                found[plain].append(character)
    return found


LOOKS = _looks()


def look_alikes(text: str) -> st.SearchStrategy[str]:
    """The text with any of its characters as it is, in the other case, or as one that looks like it."""
    return st.tuples(*(_looks_of(character) for character in text)).map("".join)


def _looks_of(character: str) -> st.SearchStrategy[str]:
    plain = st.sampled_from(sorted({character, character.lower(), character.upper()}))
    odd = LOOKS.get(character.lower(), [])
    return plain | st.sampled_from(odd) if odd else plain
