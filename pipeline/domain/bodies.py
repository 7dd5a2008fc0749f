"""What the body of each request type must hold (contract, section 3, Bodies), as models.

The models only judge. What is told and sent are the submission's own bytes, so nothing is converted here, and unknown
keys pass. No rule about headers, hosts or policy may enter.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

_POINTS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,3})?")


def _fault(message: str) -> PydanticCustomError:
    return PydanticCustomError("bad-body", message)


def _is_number(value: Any) -> bool:
    """True for 20 and 20.0, not for true: in Python a bool is an int."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    """True for 2739 and 2739.0, not for 2739.00000000000000001, which as a double is the same."""
    if not _is_number(value):
        return False
    exact = Decimal(repr(value))
    return exact == exact.to_integral_value()


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise _fault("must be text")
    return value


def _filled_text(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        raise _fault("must be text that is not empty")
    return value


def _whole_number(value: Any) -> Any:
    if not _is_whole(value):
        raise _fault("must be a whole number")
    return value


def _positive_number(value: Any) -> Any:
    if not _is_number(value) or value <= 0:
        raise _fault("must be a number greater than 0")
    return value


def _identifier(value: Any) -> Any:
    is_text = isinstance(value, str) and bool(value.strip())
    if not is_text and not _is_whole(value):
        raise _fault("must be text that is not empty, or a whole number")
    return value


def _customer_id(value: Any) -> Any:
    is_text = isinstance(value, str) and value.isascii() and value.isdigit()
    if not is_text and not _is_whole(value):
        raise _fault("must be a whole number, or text of digits")
    return value


def _points_redeemed(value: Any) -> Any:
    points_of(value)
    return value


def points_of(value: Any) -> Decimal:
    """The points of a redemption, exactly; raises for what is no number or text of one in the allowed range."""
    if isinstance(value, str):
        plain = value
    elif _is_number(value):
        plain = format(Decimal(repr(value)), "f")
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    else:
        plain = ""
    if not _POINTS.fullmatch(plain) or Decimal(plain) <= 0:
        raise _fault("must be greater than 0, with at most 15 digits before and 3 after the point")
    return Decimal(plain)


def _redemption_time(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", value):
        raise _fault("must look like YYYY-MM-DD HH:MM:SS")
    try:
        datetime.strptime(value, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the documents give no zone
    except ValueError:
        raise _fault("must be a date and a time that exist") from None
    return value


_CUSTOMER_KEYS = ("mobile", "email", "external_id", "id")


def _customer(value: Any) -> Any:
    if not isinstance(value, dict) or not any(_is_identifying(value.get(key)) for key in _CUSTOMER_KEYS):
        raise _fault("must be an object with one of mobile, email, external_id, id")
    return value


def _is_identifying(value: Any) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or _is_number(value)


_OWNER_TYPES = frozenset(
    [
        "loyalty",
        "loyalty_promotion",
        "referral_campaigns",
        "journeys",
        "audience_campaigns",
        "rewards_catalog",
        "goodwill_module",
        "milestones",
        "historical_import",
    ]
)


def _owner_type(value: Any) -> Any:
    if not isinstance(value, str) or value.lower() not in _OWNER_TYPES:
        raise _fault("must be one of the documented owner types")
    return value


def _as_list(value: Any) -> Any:
    """A lone item is checked as a list of one; it is sent on as it came."""
    return value if isinstance(value, list) else [value]


_SCALAR_SCHEMA = {"type": ["string", "number"]}

Text = Annotated[Any, AfterValidator(_text), WithJsonSchema({"type": "string"})]
FilledText = Annotated[Any, AfterValidator(_filled_text), WithJsonSchema({"type": "string", "minLength": 1})]
WholeNumber = Annotated[Any, AfterValidator(_whole_number), WithJsonSchema({"type": "integer"})]
PositiveNumber = Annotated[
    Any, AfterValidator(_positive_number), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
]
Identifier = Annotated[Any, AfterValidator(_identifier), WithJsonSchema(_SCALAR_SCHEMA)]
CustomerId = Annotated[Any, AfterValidator(_customer_id), WithJsonSchema(_SCALAR_SCHEMA)]
PointsRedeemed = Annotated[Any, AfterValidator(_points_redeemed), WithJsonSchema(_SCALAR_SCHEMA)]
RedemptionTime = Annotated[Any, AfterValidator(_redemption_time), WithJsonSchema({"type": "string"})]
Customer = Annotated[Any, AfterValidator(_customer), WithJsonSchema({"type": "object"})]
OwnerType = Annotated[Any, AfterValidator(_owner_type), WithJsonSchema({"type": "string"})]


class Body(BaseModel):
    """Frozen, and lenient about keys that it does not know: they pass through to Intouch."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Redeem(Body):
    """One redemption. `validation_code` is a one-time code and is told in events, as the documents do."""

    points_redeemed: PointsRedeemed
    customer: Customer
    redemption_time: RedemptionTime = "2000-01-01 00:00:00"


class RedeemRoot(Body):
    """`root.redeem` is one redemption or a list of them, which is not empty."""

    redeem: Annotated[list[Redeem], BeforeValidator(_as_list), Field(min_length=1)]


class PointsRedemption(Body):
    """POST /v1.1/points/redeem."""

    root: RedeemRoot


class CustomerStatusChange(Body):
    """PUT /v2/customers/lookup/status. The label is free text of the org."""

    reason: FilledText
    label: FilledText


class GoodwillPoints(Body):
    """POST /internal/goodwill/. Credits nothing, and says nothing, for a customer without a default till."""

    reference_id: Text = Field(alias="referenceId")
    reason: Text
    base_type: Literal["POINTS"] = Field(alias="baseType")
    program_id: WholeNumber = Field(alias="programId")
    awarding_till_id: WholeNumber = Field(alias="awardingTillId")
    earning_entity_type: FilledText = Field(alias="earningEntityType")
    earning_entity_id: WholeNumber = Field(alias="earningEntityId")
    points: PositiveNumber
    source: Text


class Trigger(Body):
    """What caused a badge."""

    owner_type: OwnerType = Field(alias="ownerType")
    reference_id: Identifier = Field(alias="referenceId")


class Badge(Body):
    """What earning and issuing a badge have in common; `requestId` is what Intouch dedupes by."""

    badge_meta_id: FilledText = Field(alias="badgeMetaId")
    request_id: Identifier = Field(alias="requestId")
    triggered_by: Trigger = Field(alias="triggeredBy")


class EarnBadge(Badge):
    """POST /api_gateway/v1/badges/customer/earn."""

    customer_id: CustomerId = Field(alias="customerId")


class IssueBadge(Badge):
    """POST /api_gateway/v1/badges/badgeMeta/customer/issueBulk."""

    customers: Annotated[list[CustomerId], BeforeValidator(_as_list), Field(min_length=1)]


class RetroTransaction(Body):
    """PUT /v2/transactions/retro."""

    old_type: Literal["NOT_INTERESTED"] = Field(alias="oldType")
    new_type: Literal["REGULAR"] = Field(alias="newType")
    transaction_id: Identifier = Field(alias="transactionId")
    customer_id: Identifier = Field(alias="customerId")
