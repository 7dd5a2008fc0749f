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
    return dict(found)


LOOKS = _looks()


@st.composite
def look_alikes(draw: st.DrawFn, text: str) -> str:
    """The text in any case, with up to two of its characters as others that look like them."""
    characters = list(draw(st.sampled_from([text, text.lower(), text.upper(), text.swapcase()])))
    odd = [at for at, character in enumerate(characters) if character.lower() in LOOKS]
    for at in draw(st.lists(st.sampled_from(odd), max_size=2, unique=True)) if odd else ():
        characters[at] = draw(st.sampled_from(LOOKS[characters[at].lower()]))
    return "".join(characters)
