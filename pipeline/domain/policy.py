"""What a deployment may switch per request type (contract, section 9). Pure: the file is read by `policy_file`.

What a type *is* stands in `request_types` and can be switched by nobody. Every type has a policy: one that is not
named has the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.domain.request_types import RequestType

SHOWN_MAX = 100  # characters of a wrong value that are told
WITH_POINTS = frozenset({RequestType.GOODWILL_POINTS, RequestType.POINTS_REDEMPTION})


class PolicyError(ValueError):
    """A wrong table or key; `table` and `key` (None: the table itself) say where, the message says what is wrong."""

    def __init__(self, table: str, key: str | None, problem: str) -> None:
        super().__init__(problem)
        self.table = table
        self.key = key


def _number(value: Any) -> Any:
    """A number as the file wrote it; text and true are none, although Decimal would read them."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic turns ValueErrors alone into its report
    return value


class Policy(BaseModel):
    """One type's switches. `max_points` is inclusive, a redemption's list counts as its sum; `_s` are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    enabled: bool = True
    auto_approve: bool = False
    max_points: Annotated[Decimal, BeforeValidator(_number), Field(strict=False, gt=0, allow_inf_nan=False)] | None = (
        None
    )
    expires_after_s: Annotated[int, Field(gt=0, le=10 * 366 * 86400)] = 30 * 86400
    require_digest: bool = False
    require_idempotency_key: bool = False


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of every type: `policies[RequestType.GOODWILL_POINTS]`."""

    given: Mapping[RequestType, Policy] = field(default_factory=dict)

    def __getitem__(self, request_type: RequestType) -> Policy:
        return self.given.get(request_type) or Policy()

    def warnings(self) -> Iterator[str]:
        """A sentence for each type that approves by itself without a bound to what can go wrong."""
        for request_type in RequestType:
            policy = self[request_type]
            if policy.auto_approve and policy.max_points is None and request_type in WITH_POINTS:
                yield f"{request_type} is approved without a person and without a limit: set max_points."
            if policy.auto_approve and not policy.require_idempotency_key:
                yield (
                    f"{request_type} is approved without a person, and a submission that is published twice is "
                    "executed twice: set require_idempotency_key."
                )


def read_policies(tables: Mapping[str, Any]) -> Policies:
    """The policies from one table per type, as TOML gives them with `parse_float=Decimal`. Raises PolicyError."""
    return Policies({_named(table): _policy(table, keys) for table, keys in tables.items()})


def _named(table: str) -> RequestType:
    if table not in RequestType.__members__:
        raise PolicyError(table, None, f"is no request type; there are {', '.join(RequestType)}")
    return RequestType[table]


def _shown(value: Any) -> str:
    """The value on one line, cut where it is long; Python writes no integer of more than some thousand digits."""
    if isinstance(value, int) and value.bit_length() > SHOWN_MAX:
        return f"an integer of {value.bit_length()} bits"
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def _policy(table: str, keys: Any) -> Policy:
    if not isinstance(keys, dict):
        raise PolicyError(table, None, f"must be a table: write [{table}] on a line of its own")
    try:
        policy = Policy.model_validate(keys)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            raise PolicyError(table, key, f"is no key; there are {', '.join(Policy.model_fields)}") from None
        raise PolicyError(table, key, f"{first['msg']}, not {_shown(keys[key])}") from None
    if policy.max_points is not None and _named(table) not in WITH_POINTS:
        raise PolicyError(table, "max_points", "would do nothing: requests of this type carry no points")
    return policy
