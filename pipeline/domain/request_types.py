"""The six request types, one row each (contract, section 3). A new type is a new row; no rule may branch on a name.

How an answer of Intouch reads per type is in `outcomes`; what a deployment may switch per type is in `policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain import bodies


class RequestType(StrEnum):
    """The name as events spell it."""

    POINTS_REDEMPTION = "POINTS_REDEMPTION"
    CUSTOMER_STATUS_CHANGE = "CUSTOMER_STATUS_CHANGE"
    GOODWILL_POINTS = "GOODWILL_POINTS"
    EARN_BADGE = "EARN_BADGE"
    ISSUE_BADGE = "ISSUE_BADGE"
    RETRO_TRANSACTION = "RETRO_TRANSACTION"

    @classmethod
    def named(cls, name: object) -> RequestType | None:
        """The type of this name in any of its three spellings and any case; None for everything else."""
        if not isinstance(name, str) or not name.isascii():  # upper() turns a dotless i into a plain one
            return None
        return cls.__members__.get(name.upper().replace("-", "_"))

    def fits(self, claimed: str | None) -> bool:
        """Whether who speaks of a request names this type, or none at all (contract, section 4: `wrong-type`)."""
        return claimed is None or RequestType.named(claimed) is self


@dataclass(frozen=True, slots=True)
class QueryRule:
    """What one query parameter must be: there, not blank, and one of `choices` where there are any."""

    name: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """What makes a request type.

    `method` and `path` are what is called; a submission may also say one of `also_methods` and `also_paths`.
    """

    method: str
    path: str
    body: type[bodies.Body]
    also_methods: tuple[str, ...] = ()
    also_paths: tuple[str, ...] = ()
    query: tuple[QueryRule, ...] = ()
    needs_entity: bool = True
    tells_reason: bool = False  # AdminTask copies body.reason
    tells_checker: bool = True  # the documented samples of status changes have no checkerId

    def takes_path(self, path: str | None) -> bool:
        """A submission may name this path; it must name one."""
        return path in (self.path, *self.also_paths)

    def takes_method(self, method: str | None) -> bool:
        """The same of a method: in any case, but in ASCII, as upper() turns a long s into a plain one."""
        return method is not None and method.isascii() and method.upper() in (self.method, *self.also_methods)


# The documented names of a customer's identifier, exactly so [S].
_IDENTIFIERS = ("mobile", "email", "externalId", "cardnumber", "cardExternalId", "wechat", "fbid", "martjackId")

ROWS: dict[RequestType, Row] = {
    RequestType.POINTS_REDEMPTION: Row(
        "POST",
        "/v1.1/points/redeem",
        bodies.PointsRedemption,
        query=(QueryRule("format", choices=("json",)),),
        needs_entity=False,
    ),
    RequestType.CUSTOMER_STATUS_CHANGE: Row(
        "PUT",
        "/v2/customers/lookup/status",
        bodies.CustomerStatusChange,
        also_methods=("POST",),  # the sample says POST, the table PUT [S]
        query=(
            QueryRule("source", required=True),
            QueryRule("identifierName", required=True, choices=_IDENTIFIERS),
            QueryRule("identifierValue", required=True),
        ),
        tells_reason=True,
        tells_checker=False,
    ),
    RequestType.GOODWILL_POINTS: Row(
        "POST", "/internal/goodwill/", bodies.GoodwillPoints, also_paths=("/internal/goodwill",)
    ),
    RequestType.EARN_BADGE: Row("POST", "/api_gateway/v1/badges/customer/earn", bodies.EarnBadge),
    RequestType.ISSUE_BADGE: Row("POST", "/api_gateway/v1/badges/badgeMeta/customer/issueBulk", bodies.IssueBadge),
    RequestType.RETRO_TRANSACTION: Row("PUT", "/v2/transactions/retro", bodies.RetroTransaction),
}
