"""The policy per request type: defaults, the file, and what a wrong one is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.policy_file import load_policies
from pipeline.settings import SettingsError

MISSPELT = ("earn_badge", "EARN-BADGE", "earn-badge", "EarnBadge", "EARN_BADGES", "GOODWILL", "Earn_Badge")
X = "x" * 99


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
        *((f"[{name}]\nenabled = true", f"[{name}]: is no request type; there are POINTS_RED") for name in MISSPELT),
        ('["EARN BADGE\\n"]', '["EARN BADGE\\n"]: is no request type'),
        (f"[{'x' * 9000}]", f'["{"x" * 60}"]: is no request type'),
        ("enabled = true", "[enabled]: is no request type"),
        ("[[EARN_BADGE]]\nenabled = true", "[EARN_BADGE]: must be a table"),
        ("[EARN_BADGE.more]\nenabled = true", "[EARN_BADGE] more: is no key"),
        ('[EARN_BADGE]\n"a\\nb" = 1', '[EARN_BADGE] "a\\nb": is no key'),
        ('[EARN_BADGE]\n"" = 1', '[EARN_BADGE] "": is no key'),
        *(
            (f"[EARN_BADGE]\n{key} = {value}", f"[EARN_BADGE] {key}: Input should be a valid boolean, not ")
            for key in ("enabled", "auto_approve", "require_digest", "require_idempotency_key")
            for value in ("0", "1", "1.0", '"true"', '"false"', '""', "[]", "{}", "2024-01-01")
        ),
        *(
            (f"[EARN_BADGE]\nexpires_after_s = {value}", "[EARN_BADGE] expires_after_s: Input should be ")
            for value in (
                "-1",
                "true",
                "false",
                '"30"',
                "1e3",
                "inf",
                "[1]",
                "12:00:00",
                "316224001",
                "0x" + "f" * 5000,
            )
        ),
        *(
            (f"[GOODWILL_POINTS]\nmax_points = {value}", "[GOODWILL_POINTS] max_points: ")
            for value in ("-1", "-0.0", "false", "inf", "-inf", "-nan", '"5"', "[5]", "{}", "0x" + "f" * 5000)
        ),
        (
            f'[EARN_BADGE]\nenabled = "{"x" * 9000}"',
            f"[EARN_BADGE] enabled: Input should be a valid boolean, not '{X}…",
        ),
        ("[EARN_BADGE]\n[EARN_BADGE]", "Cannot declare ('EARN_BADGE',) twice (at line 2,"),
        ("[EARN_BADGE]\nenabled = true\nenabled = true\n", "Cannot overwrite a value (at line 3,"),
        ("[EARN_BADGE]\n[EARN_BADGE.enabled]\n[EARN_BADGE]", "twice (at line 3,"),
        ("[GOODWILL_POINTS", "is not TOML"),
        ('{"EARN_BADGE": {"enabled": false}}', "is not TOML"),
        ("[EARN_BADGE]\nenabled = True", "is not TOML: Invalid value (at line 2,"),
        ("[EARN_BADGE]\nenabled", "is not TOML"),
        ("\ufeff[EARN_BADGE]", "is not TOML"),
        ("[EARN_BADGE]\nenabled = \0true", "is not TOML"),
        ("[EARN_BADGE]\nenabled = " + "[" * 20_000, "holds a number or a nesting beyond all bounds"),
        ("[EARN_BADGE]\nexpires_after_s = " + "9" * 5_000, "holds a number or a nesting beyond all bounds"),
        ("[GOODWILL_POINTS]\nmax_points = 1e" + "9" * 30, "holds a number or a nesting beyond all bounds"),
    ],
    ids=lambda text: text[:60],
)
def test_a_wrong_file_is_told_by_file_table_and_key(tmp_path: Path, text: str, told: str) -> None:
    """One sentence names the variable, the file, the table and the key."""
    path = a_file(tmp_path, text)

    with pytest.raises(SettingsError) as caught:
        load_policies(path)

    sentence = str(caught.value)
    assert sentence.startswith(f"RW_REQUEST_TYPES_FILE: {path}")
    assert told in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < len(str(path)) + 300


def test_the_first_wrong_key_is_told(tmp_path: Path) -> None:
    """One at a time, in the order of the file: a sentence, not a list."""
    text = "[EARN_BADGE]\nenabled = true\n[ISSUE_BADGE]\nenable = 1\nfoo = 2\n[COFFEE]\n"

    with pytest.raises(SettingsError, match=r"\[ISSUE_BADGE\] enable: is no key"):
        load_policies(a_file(tmp_path, text))


@pytest.mark.parametrize("content", [b"\xff[EARN_BADGE]", "[EARN_BADGE]\n".encode("utf-16"), b"[EARN_BADGE]\n#\xe9"])
def test_a_file_that_is_no_utf_8_is_told(tmp_path: Path, content: bytes) -> None:
    """TOML is UTF-8; anything else is refused by the file's name."""
    path = tmp_path / "types.toml"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=rf"^RW_REQUEST_TYPES_FILE: {path} is not TOML: .*\.$"):
        load_policies(path)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[EARN_BADGE]\n", "[EARN_BADGE]\r\nenabled = true\r\n"])
def test_a_file_that_names_nothing_changes_nothing(tmp_path: Path, text: str) -> None:
    """Empty, a remark, an empty table, the line ends of another system: all defaults."""
    policies = load_policies(a_file(tmp_path, text))

    assert {policies[request_type] for request_type in RequestType} == {Policy()}


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file stops the start: defaults are looser than what somebody meant to say."""
    with pytest.raises(SettingsError, match="cannot be read"):
        load_policies(tmp_path / "nowhere.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What is there and cannot be read stops the start as well, with the system's own word for it."""
    with pytest.raises(SettingsError, match=rf"^RW_REQUEST_TYPES_FILE: {tmp_path} cannot be read: Is a directory\.$"):
        load_policies(tmp_path)


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
