"""The policy per request type: defaults, the file, and what a wrong one is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.policy_file import load_policies
from pipeline.settings import SettingsError


def a_file(folder: Path, text: str) -> Path:
    """A policy file with this text."""
    path = folder / "types.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("request_type", list(RequestType))
def test_every_type_has_a_policy(request_type: RequestType) -> None:
    """A type that no file names is on, waits for a person, has no cap and expires after thirty days."""
    assert load_policies(None)[request_type] == Policy(
        enabled=True,
        auto_approve=False,
        max_points=None,
        expires_after_s=2592000,
        require_digest=False,
        require_idempotency_key=False,
    )


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    """A named key is taken, the others keep their default; a cap is exact."""
    policies = load_policies(a_file(tmp_path, "[GOODWILL_POINTS]\nmax_points = 0.1\nauto_approve = true\n"))

    assert policies[RequestType.GOODWILL_POINTS] == Policy(max_points=Decimal("0.1"), auto_approve=True)
    assert policies[RequestType.EARN_BADGE] == Policy()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[GOODWILL]\nenabled = true", "[GOODWILL]: is no request type"),
        ("EARN_BADGE = 3", "[EARN_BADGE]: must be a table"),
        ("[EARN_BADGE]\nenable = true", "[EARN_BADGE] enable: is no key; there are enabled,"),
        ("[EARN_BADGE]\nenabled = 1", "[EARN_BADGE] enabled: "),
        ("[EARN_BADGE]\nexpires_after_s = 0", "[EARN_BADGE] expires_after_s: "),
        ("[EARN_BADGE]\nexpires_after_s = 1.5", "[EARN_BADGE] expires_after_s: "),
        ("[EARN_BADGE]\nmax_points = 5", "[EARN_BADGE] max_points: would do nothing"),
        ("[GOODWILL_POINTS]\nmax_points = 0", "[GOODWILL_POINTS] max_points: "),
        ("[GOODWILL_POINTS]\nmax_points = nan", "[GOODWILL_POINTS] max_points: "),
        ('[GOODWILL_POINTS]\nmax_points = "5"', "[GOODWILL_POINTS] max_points: "),
        ("[GOODWILL_POINTS]\nmax_points = true", "[GOODWILL_POINTS] max_points: "),
        ("[GOODWILL_POINTS", "is not TOML"),
    ],
)
def test_a_wrong_file_is_told_by_file_table_and_key(tmp_path: Path, text: str, told: str) -> None:
    """One sentence names the variable, the file, the table and the key."""
    path = a_file(tmp_path, text)

    with pytest.raises(SettingsError) as caught:
        load_policies(path)

    assert str(caught.value).startswith(f"RW_REQUEST_TYPES_FILE: {path}")
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file stops the start: defaults are looser than what somebody meant to say."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load_policies(tmp_path / "nowhere.toml")


def test_the_librarys_words_do_not_leak(tmp_path: Path) -> None:
    """What is wrong with a value is said without the validating library's own prefix."""
    with pytest.raises(SettingsError, match=r"\[GOODWILL_POINTS\] max_points: must be a number"):
        load_policies(a_file(tmp_path, '[GOODWILL_POINTS]\nmax_points = "x"\n'))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """A file beyond the bound is refused and not parsed."""
    with pytest.raises(SettingsError, match="is larger than"):
        load_policies(a_file(tmp_path, "#" * 200_000))


def test_auto_approval_without_a_bound_is_warned_of() -> None:
    """A cap (where the type has points) and a required key silence the warning; nothing else is warned of."""
    loose = Policies(
        {
            RequestType.GOODWILL_POINTS: Policy(auto_approve=True),
            RequestType.EARN_BADGE: Policy(auto_approve=True),
            RequestType.RETRO_TRANSACTION: Policy(),
        }
    )
    tight = Policies(
        {
            RequestType.GOODWILL_POINTS: Policy(auto_approve=True, max_points=Decimal(5), require_idempotency_key=True),
            RequestType.EARN_BADGE: Policy(auto_approve=True, require_idempotency_key=True),
        }
    )

    assert [sentence.split()[0] for sentence in loose.warnings()] == [
        "GOODWILL_POINTS",
        "GOODWILL_POINTS",
        "EARN_BADGE",
    ]
    assert list(tight.warnings()) == []
