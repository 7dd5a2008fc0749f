"""Tokens as an issuer or a forger writes them: every byte as told, nothing judged. The signature is right unless said.

For the public algorithms there is one key pair each, made anew in every run, and a stranger's of the same kind.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

SECRET = b"obviously-fake-secret-of-32-bytes"
HEADER = {"alg": "HS256", "typ": "JWT"}
ALGORITHMS = get_default_algorithms()
PRIVATE: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "PS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
STRANGERS: dict[str, Any] = {
    "RS256": (stranger := rsa.generate_private_key(65537, 2048)),
    "PS256": stranger,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def plain64(content: bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def segment(content: Any) -> bytes:
    """A part of a token; bytes stay as they are, everything else is written as JSON."""
    return plain64(content if isinstance(content, bytes) else json.dumps(content).encode())


def hmac_of(message: bytes, secret: bytes = SECRET, digest: str = "sha256") -> bytes:
    """The third part of a token, from the first two."""
    return plain64(hmac.digest(secret, message, digest))


def signed(payload: Any, header: Any = HEADER, secret: bytes = SECRET) -> bytes:
    """A token under the secret, whatever header and payload are."""
    message = segment(header) + b"." + segment(payload)
    return message + b"." + hmac_of(message, secret)


def signed_by(key: Any, algorithm: str, payload: Any, header: Any) -> bytes:
    """A token under a private key, by this algorithm, whatever the header says of either."""
    message = segment(header) + b"." + segment(payload)
    return message + b"." + plain64(ALGORITHMS[algorithm].sign(message, key))


def jwk(algorithm: str, private: Any = None, **changed: Any) -> dict[str, Any]:
    """The public half as a JWK; a changed member of None is left out."""
    public = (private or PRIVATE[algorithm]).public_key()
    members: dict[str, Any] = ALGORITHMS[algorithm].to_jwk(public, as_dict=True)
    members |= {"alg": algorithm, "kid": algorithm, "key_ops": None} | changed
    return {name: value for name, value in members.items() if value is not None}


def jwks(*keys: Any) -> str:
    """A key file's text."""
    return json.dumps({"keys": keys})
