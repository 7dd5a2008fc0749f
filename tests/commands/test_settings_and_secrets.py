"""`settings`, `token` and `keys`: what is in force is shown without secrets; what is minted is good."""

from __future__ import annotations

import pytest

from pipeline.trust.keys import SharedSecret
from pipeline.trust.sealing import new_key, parse_keys
from pipeline.trust.tokens import Tokens, Wanted


def test_settings_hide_secrets(run, secret):
    """Every setting is listed with where it comes from; a secret is said to be there and not shown."""
    ran = run("settings", RW_JWT_HS256_SECRET=secret, RW_TOPIC_PREFIX="mine.")

    rows = {row.split("│")[1].strip(): row for row in ran.out.splitlines() if row.count("│") > 3}
    assert ran.code == 0
    assert secret not in ran.out
    assert "set, hidden" in rows["RW_JWT_HS256_SECRET"]
    assert "mine." in rows["RW_TOPIC_PREFIX"]
    assert "environment" in rows["RW_TOPIC_PREFIX"]
    assert "default" in rows["RW_TOPIC_PARTITIONS"]


def test_check_passes_what_a_worker_takes(run, secret):
    """With secrets and an allow-list a worker would start."""
    ran = run(
        "settings",
        "--check",
        RW_JWT_HS256_SECRET=secret,
        RW_SEAL_KEYS=new_key(),
        RW_INTOUCH_ALLOWED_HOSTS="https://eu.api.example.test",
    )

    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"RW_SEAL_KEYS": ""}, "RW_SEAL_KEYS"),
        ({"RW_JWT_HS256_SECRET": ""}, "RW_JWT_HS256_SECRET"),
        ({"RW_JWT_HS256_SECRET": "short"}, "RW_JWT_HS256_SECRET"),
        ({"RW_TOPIC_PARTITIONS": "many"}, "RW_TOPIC_PARTITIONS"),
        ({"RW_REQUEST_TYPES_FILE": "not-there.toml"}, "RW_REQUEST_TYPES_FILE"),
        ({"RW_INTOUCH_ALLOWED_HOSTS": "https://a.test:99999"}, "RW_INTOUCH_ALLOWED_HOSTS"),
    ],
    ids=str,
)
def test_check_names_what_is_wrong(variables, named, run, secret):
    """Whatever a worker would not start with is named in one line, and ends with 1."""
    good = {"RW_JWT_HS256_SECRET": secret, "RW_SEAL_KEYS": new_key()}

    ran = run("settings", "--check", **(good | variables))

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert ran.err.startswith(named)


def test_misspelt_variable_is_warned_of(run):
    """A variable that is no setting is told with the one that was probably meant."""
    ran = run("settings", RW_TOPIC_PERFIX="mine.")

    assert ran.code == 0
    assert "RW_TOPIC_PREFIX" in ran.err


def test_token_is_one_that_intake_believes(run, secret):
    """The minted token carries user, org, rights and entities under the configured names."""
    ran = run(
        *("token", "--user", "232134", "--org", "51250", "--can", "make, check", "--entities", "50682289"),
        RW_JWT_HS256_SECRET=secret,
        RW_JWT_CLAIM_ORG="org",
    )

    claims = Tokens(SharedSecret(secret.encode()), Wanted(org="org")).read(ran.out.strip().encode())
    assert claims is not None
    assert (claims.user_id, claims.org_id) == (232134, 51250)
    assert claims.permissions == {"CanMakeRequest", "CanCheckRequest"}
    assert claims.entities == {"50682289"}


@pytest.mark.parametrize("option", ["--user", "--org"])
def test_a_token_that_intake_would_refuse_for_its_ids_is_not_minted(run, secret, option):
    """None has more than 63 bits."""
    ids = {"--user": "1", "--org": "1"} | {option: str(2**63)}
    ran = run("token", *(word for pair in ids.items() for word in pair), "--can", "make", RW_JWT_HS256_SECRET=secret)

    assert (ran.code, ran.out) == (2, "")
    assert f"{option}" in ran.err
    assert str(2**63 - 1) in ran.err


def test_token_without_secret_is_refused(run):
    """There is no default secret to mint with."""
    ran = run("token", "--user", "1", "--org", "1", "--can", "make")

    assert (ran.code, ran.out) == (1, "")
    assert "RW_JWT_HS256_SECRET" in ran.err


def test_token_outlives_no_limit(run, secret):
    """A token that intake would refuse for its age is not minted."""
    ran = run(
        *("token", "--user", "1", "--org", "1", "--can", "make", "--valid-s", "61"),
        RW_JWT_HS256_SECRET=secret,
        RW_JWT_MAX_AGE_S="60",
    )

    assert (ran.code, ran.out) == (1, "")
    assert "60 s" in ran.err


def test_new_keys_differ_and_are_good(run):
    """Each new key can be read as a sealing key, and no two are the same."""
    first, second = run("keys", "new").out.strip(), run("keys", "new").out.strip()

    assert len(parse_keys(f"{first},{second}")) == 2


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"RW_KAFKA_SECURITY_PROTOCOL": "SSL", "RW_KAFKA_SSL_CA_FILE": "nowhere.pem"},
            "RW_KAFKA_SSL_CA_FILE: nowhere.pem is of no use: No such file or directory.\n",
        ),
        ({"RW_JWT_JWKS_FILE": "no.json"}, "RW_JWT_JWKS_FILE: no.json cannot be read: No such file or directory.\n"),
    ],
)
def test_check_reads_the_files_that_a_worker_reads(run, secret, variables, told):
    """A CA or key file of no use stops the check as it would stop a worker."""
    tokens = {} if "RW_JWT_JWKS_FILE" in variables else {"RW_JWT_HS256_SECRET": secret}

    ran = run("settings", "--check", RW_SEAL_KEYS=new_key(), **tokens, **variables)

    assert (ran.code, ran.out, ran.err) == (1, "", told)
