"""The credentials of a call, sealed by intake and opened by the client during the call (design, section 2).

The only place that knows how header pairs become sealed bytes. Which headers are credentials is `domain.headers`' rule.
"""

from __future__ import annotations

import json

from pipeline.domain.requests import Call
from pipeline.trust.sealing import Purpose, Sealer

Pairs = tuple[tuple[str, str], ...]


def seal_headers(sealer: Sealer, binding: tuple[str, ...], headers: Pairs) -> str | None:
    """The sealed text for `Call.sealed_headers`; None where there is nothing to seal. The order is kept."""
    if not headers:
        return None
    plain = json.dumps(headers, ensure_ascii=False, separators=(",", ":")).encode()
    return sealer.seal(Purpose.CREDENTIALS, binding, plain)


def open_headers(sealer: Sealer, call: Call) -> Pairs:
    """The credentials of the call, in the order in which they were sealed; raises `SealBroken`."""
    if call.sealed_headers is None:
        return ()
    plain = sealer.open(Purpose.CREDENTIALS, call.binding, call.sealed_headers)
    return tuple((name, value) for name, value in json.loads(plain))
