"""What the contract says, written down once for the tests and never taken from the product, which is judged by it."""

from __future__ import annotations

# Method and path of each type's call (contract, section 3).
CALLS = {
    "POINTS_REDEMPTION": ("POST", "/v1.1/points/redeem"),
    "CUSTOMER_STATUS_CHANGE": ("PUT", "/v2/customers/lookup/status"),
    "GOODWILL_POINTS": ("POST", "/internal/goodwill/"),
    "EARN_BADGE": ("POST", "/api_gateway/v1/badges/customer/earn"),
    "ISSUE_BADGE": ("POST", "/api_gateway/v1/badges/badgeMeta/customer/issueBulk"),
    "RETRO_TRANSACTION": ("PUT", "/v2/transactions/retro"),
}
