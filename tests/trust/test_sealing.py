"""What is sealed opens for its purpose and owner only; what is signed cannot be made up."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call
from pipeline.trust.credentials import open_headers, seal_headers
from pipeline.trust.sealing import Purpose, SealBroken, Sealer, Signer, new_key, parse_keys, sealed_with

OLD, NEW = bytes(range(32)), bytes(range(64))
BINDING = ("51250", "2083b025-c1d5-11ee-9641-7277dba3c6a7", "requests.submitted/3/17")


def test_the_cipher_is_that_of_rfc_5297():
    """The library's AES-SIV gives the RFC's own example (appendix A.1)."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    associated = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")

    sealed = AESSIV(key).encrypt(bytes.fromhex("112233445566778899aabbccddee"), [associated])

    assert sealed.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"


def test_sealed_texts_of_today_open_tomorrow():
    """The format is fixed: this text and this signature were made by the first release."""
    sealed = Sealer((NEW,)).seal("credentials", BINDING, b"obviously fake")

    assert sealed == "nAwMciwaXVBM7DtrZYGypBvt9Lrn1ZQkJI7gIHrO/tv6sQ=="
    assert (
        Signer((NEW,)).sign("events", b"k", b"v").hex()
        == "9e37f1435a20a846186e2745986bf2324ff9f7c1acb2af010d72118f51100bfb"
    )


@given(plain=st.binary(max_size=200), binding=st.lists(st.text(max_size=5), max_size=4))
def test_what_is_sealed_opens(plain, binding):
    """open(seal(x)) is x, and the same input gives the same text."""
    sealer = Sealer((NEW, OLD))

    sealed = sealer.seal(Purpose.DEAD_LETTER, tuple(binding), plain)

    assert sealer.open(Purpose.DEAD_LETTER, tuple(binding), sealed) == plain
    assert sealer.seal("dead-letter", tuple(binding), plain) == sealed


@pytest.mark.parametrize(
    ("purpose", "binding"),
    [
        ("redrive", BINDING),
        ("credentials", BINDING[:2]),
        ("credentials", (*BINDING, "")),
        ("credentials", ("512", "50" + BINDING[1], BINDING[2])),
        ("credentials", BINDING[::-1]),
    ],
)
def test_nothing_opens_for_another_purpose_or_owner(purpose, binding):
    """Another purpose, another binding or the same texts cut elsewhere do not open it."""
    sealer = Sealer((NEW,))
    sealed = sealer.seal("credentials", BINDING, b"obviously fake")

    with pytest.raises(SealBroken, match=f"sealed for {purpose}: altered, or bound to something else") as fault:
        sealer.open(purpose, binding, sealed)

    assert "fake" not in str(fault.value)


@pytest.mark.parametrize("position", [4, 20, -1])
def test_an_altered_text_does_not_open(position):
    """One bit of difference behind the key id breaks the seal."""
    sealer = Sealer((NEW,))
    raw = bytearray(base64.b64decode(sealer.seal("credentials", BINDING, b"obviously fake")))
    raw[position] ^= 1

    with pytest.raises(SealBroken, match="altered"):
        sealer.open("credentials", BINDING, base64.b64encode(raw).decode())


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", base64.b64encode(bytes(19)).decode()])
def test_what_is_no_sealed_text_does_not_open(text):
    """Anything else is told apart from a wrong key."""
    with pytest.raises(SealBroken, match="not a sealed text"):
        Sealer((NEW,)).open("credentials", BINDING, text)


def test_an_unknown_purpose_is_a_mistake_of_ours():
    """Purposes are a closed list."""
    with pytest.raises(ValueError, match="lunch"):
        Sealer((NEW,)).seal("lunch", BINDING, b"x")


def test_keys_can_be_exchanged():
    """The first key seals and all open, so a new key is put first and the old one kept behind it."""
    before, during, after = Sealer((OLD,)), Sealer((NEW, OLD)), Sealer((NEW,))
    old_text = before.seal("credentials", BINDING, b"x")
    new_text = during.seal("credentials", BINDING, b"x")

    assert during.open("credentials", BINDING, old_text) == b"x"
    assert after.open("credentials", BINDING, new_text) == b"x"
    assert (sealed_with(old_text), sealed_with(new_text)) == during.key_ids[::-1]


def test_a_key_that_is_gone_is_named_by_its_id():
    """The sentence says which key is missing and what to do."""
    text = Sealer((OLD,)).seal("credentials", BINDING, b"x")

    with pytest.raises(
        SealBroken, match=f"key {sealed_with(text)}, which is not among the sealing keys .*add it again"
    ):
        Sealer((NEW,)).open("credentials", BINDING, text)


def test_a_signature_holds_for_exactly_one_record():
    """Another topic, key or value, or the same bytes cut elsewhere, is another record."""
    signer = Signer((NEW,))
    signature = signer.sign("approval.inbox", b"key", b"value")

    assert signer.verify("approval.inbox", b"key", b"value", signature=signature)
    assert not signer.verify("execution.inbox", b"key", b"value", signature=signature)
    assert not signer.verify("approval.inbox", b"keyv", b"alue", signature=signature)
    assert not signer.verify("approval.inbox", b"key", b"other", signature=signature)
    assert not signer.verify("approval.inbox", b"key", b"value", signature=b"")
    assert not signer.verify("approval.inbox", b"key", b"value", signature=signature[:-1])


def test_all_keys_verify_signatures():
    """While keys are exchanged, records signed with the old one still count; once it is gone, they do not."""
    signature = Signer((OLD,)).sign("t", b"k", b"v")

    assert Signer((NEW, OLD)).verify("t", b"k", b"v", signature=signature)
    assert not Signer((NEW,)).verify("t", b"k", b"v", signature=signature)


def test_keys_are_read_from_base64():
    """Comma separated standard base64 of 32 or 64 bytes; spaces around an entry do not matter."""
    text = ", ".join(base64.b64encode(key).decode() for key in (NEW, OLD))

    assert parse_keys(text) == (NEW, OLD)


def test_a_new_key_is_a_good_key():
    """What `keys new` prints can be set as it is, and is never the same."""
    (key,) = parse_keys(new_key())

    assert len(key) == 64
    assert parse_keys(new_key()) != (key,)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([""], "sealing key 1 of 1 is empty"),
        ([NEW, ""], "sealing key 2 of 2 is empty"),
        ([NEW, "c2VjcmV0LXdpdGg_url-safe"], "sealing key 2 of 2 is not standard base64"),
        ([NEW, "secret-ü"], "sealing key 2 of 2 is not standard base64"),
        ([b"obviously fake"], "sealing key 1 of 1 has 14 bytes; 32 or 64 are needed"),
        ([NEW, OLD, NEW], "sealing key 3 of 3 is the same as key 1"),
    ],
)
def test_a_bad_key_is_named_by_position_and_never_shown(entries, sentence):
    """The sentence says which key is wrong and how, without a character of it."""
    texts = [base64.b64encode(entry).decode() if isinstance(entry, bytes) else entry for entry in entries]

    with pytest.raises(ValueError, match=sentence) as fault:
        parse_keys(",".join(texts))

    assert not any(text and text in str(fault.value) for text in texts)


@pytest.mark.parametrize("kind", [Sealer, Signer])
def test_without_a_key_nothing_starts(kind):
    """No key is no way to run."""
    with pytest.raises(ValueError, match="no sealing key"):
        kind(())


@pytest.mark.parametrize("kind", [Sealer, Signer])
def test_no_key_shows_in_a_repr(kind):
    """What is printed by mistake holds no key."""
    assert repr(NEW) not in repr(kind((NEW,)))


def a_call(sealed):
    return Call(
        BINDING[1], RequestType.GOODWILL_POINTS, "POST", "http://a", "/", "", (("X", "1"),), sealed, BINDING, "{}"
    )


def test_credentials_of_a_call_come_back_in_order():
    """Header pairs are sealed and opened in their order, with every character."""
    headers = (("Authorization", "Basic ZmFrZQ=="), ("Cookie", 'a="ü"'))
    sealer = Sealer((NEW,))

    sealed = seal_headers(sealer, BINDING, headers)

    assert sealed
    assert "Basic" not in sealed
    assert open_headers(sealer, a_call(sealed)) == headers


def test_a_call_without_credentials_has_none_to_open():
    """Nothing is sealed where there is nothing to seal."""
    assert seal_headers(Sealer((NEW,)), BINDING, ()) is None
    assert open_headers(Sealer((NEW,)), a_call(None)) == ()
