"""What a verified token says about its bearer. The times are judged here, at the broker's time of the record.

Only `trust.tokens` makes claims, after the signature held. Nothing about signatures, keys or JSON may enter.
"""

from __future__ import annotations

from dataclasses import dataclass

LEEWAY_MS = 30_000  # for exp, nbf and iat alike (contract, section 6)


@dataclass(frozen=True, slots=True)
class Claims:
    """The bearer of a token whose signature and form are good; whether it was valid then is `good_at`.

    `permissions` is empty where the token has none: no claim, no right. `entities` None means that the token is not
    limited to entities. The three times are in epoch seconds as the token says them; `max_age_s` is the longest life
    after publication that this deployment grants.
    """

    user_id: int
    name: str | None
    org_id: int
    permissions: frozenset[str]
    entities: frozenset[str] | None
    expires_s: float
    max_age_s: float
    not_before_s: float | None = None
    issued_s: float | None = None

    def good_at(self, time_ms: int) -> bool:
        """True where the token was valid at `time_ms` (epoch ms): the broker's time of the record that carried it.

        It must not have expired, must expire at most `max_age_s` later, and nbf and iat must not lie in the future.
        """
        remaining_ms = self.expires_s * 1000 - time_ms
        return -LEEWAY_MS < remaining_ms <= self.max_age_s * 1000 + LEEWAY_MS and not any(
            start_s is not None and start_s * 1000 - time_ms > LEEWAY_MS
            for start_s in (self.not_before_s, self.issued_s)
        )
