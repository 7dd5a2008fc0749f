"""The payload digest: the contract's test vector, and what does and does not count."""

from __future__ import annotations

import hashlib
import json

import pytest

from pipeline.trust.digest import payload_digest

# The documented goodwill sample, with the contract's orgId and makerId.
FIELDS = {
    "org_id": 51250,
    "maker_id": 232134,
    "request_type": "GOODWILL_POINTS",
    "method": "POST",
    "origin": "http://internal-intouch-api.default:1900",
    "path": "/internal/goodwill/",
    "path_params": {},
    "query_params": {},
    "headers": {
        "Authorization": "Basic c2FtcGxlLXRpbGw6c2FtcGxl",
        "content-type": "application/json",
        "X-CAP-API-AUTH-ORG-ID": "51250",
    },
    "entity_info": {"tillId": "50682289", "storeId": "50682288", "zoneId": "50682286", "conceptId": "50678331"},
    "body": {
        "referenceId": "ref_id_1299314173",
        "reason": "reason",
        "baseType": "POINTS",
        "programId": 2739,
        "awardingTillId": 50682616,
        "earningEntityType": "CUSTOMER",
        "earningEntityId": 382332518,
        "points": 20,
        "source": "API",
    },
}
VECTOR = "cd862f8c40dc8f654b1e6ad3489f74d2b55bd69d7cb9f716a0944ab645aae0a5"


def digest(**changed):
    return payload_digest(**(FIELDS | changed))


def body(**changed):
    return FIELDS["body"] | changed


def test_the_test_vector():
    """The documented sample gives the digest that the contract prints."""
    assert digest() == VECTOR


@pytest.mark.parametrize(
    "same",
    [
        {"path_params": None},
        {"query_params": None},
        {"headers": tuple(FIELDS["headers"].items())},
        {"headers": {"CONTENT-TYPE": "application/json", "x-cap-api-auth-org-id": "51250"}},
        {"headers": FIELDS["headers"] | {"Cookie": "a=b", "X-CAP-UI-AUTH-TOKEN": "x", "X-Api-Key": "y"}},
        {"headers": FIELDS["headers"] | {"Host": "elsewhere", "X-Forwarded-For": "10.0.0.1", "Via": "x"}},
        {"body": dict(reversed(FIELDS["body"].items()))},
        {"body": body(points=20.0)},
    ],
)
def test_what_does_not_count(same):
    """Key order, header case, credentials, headers that are never sent and the spelling of a number do not count."""
    assert digest(**same) == VECTOR


@pytest.mark.parametrize(
    "other",
    [
        {"org_id": 51251},
        {"maker_id": 232135},
        {"request_type": "EARN_BADGE"},
        {"method": "PUT"},
        {"origin": "https://internal-intouch-api.default:1900"},
        {"path": "/internal/goodwill"},
        {"path_params": {"a": "b"}},
        {"query_params": {"a": ""}},
        {"headers": None},
        {"headers": FIELDS["headers"] | {"X-CAP-SOURCE": "x"}},
        {"entity_info": None},
        {"body": body(points=21)},
        {"body": body(points="20")},
        {"body": body(note=None)},
        {"body": None},
    ],
)
def test_everything_else_counts(other):
    """Each of the eleven fields changes the digest, and so does the kind of a value."""
    assert digest(**other) != VECTOR


def test_large_integers_count_exactly():
    """Integers beyond 2^53-1 enter as decimal texts, at any depth: neighbours differ, and nothing raises."""
    limit = 2**53 - 1
    nested = [body(a=[{"b": number}]) for number in (limit, limit + 1, limit + 2, -limit - 1, 10**399)]

    assert len({digest(body=content) for content in nested}) == len(nested)
    assert digest(body=body(a=limit + 1)) == digest(body=body(a=str(limit + 1)))
    assert digest(body=body(a=limit)) != digest(body=body(a=str(limit)))


def test_true_is_no_integer():
    """A boolean stays one."""
    assert digest(body=body(a=True)) != digest(body=body(a=1))


def test_the_digest_can_be_computed_elsewhere():
    """For plain ASCII fields any JSON library with sorted keys and no spaces gives the same bytes."""
    fields = {
        "orgId": 51250,
        "makerId": 232134,
        "requestType": "GOODWILL_POINTS",
        "method": "POST",
        "origin": FIELDS["origin"],
        "path": FIELDS["path"],
        "pathParams": {},
        "queryParams": {},
        "headers": {"content-type": "application/json", "x-cap-api-auth-org-id": "51250"},
        "entityInfo": FIELDS["entity_info"],
        "body": FIELDS["body"],
    }

    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))

    assert hashlib.sha256(text.encode()).hexdigest() == VECTOR
