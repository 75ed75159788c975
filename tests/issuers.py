"""An issuer of tokens whose keys a test holds: it signs what it is told, well or badly."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from chassis import clock

ISSUER = "https://issuer.example/realms/shop"
AUDIENCE = "order-system"
_MAKERS = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class SigningKey:
    """A key of the issuer's, under its id."""

    def __init__(self, key_id: str, algorithm: str = "EdDSA") -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.private: Any = _MAKERS[algorithm]()

    @property
    def document(self) -> dict[str, Any]:
        """The public half as it stands in the issuer's key set."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        shown: Mapping[str, Any] = json.loads(kind.to_jwk(self.private.public_key()))
        return {**shown, "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token with these claims."""
        return jwt.encode(dict(claims), self.private, self.algorithm, headers={"kid": self.key_id, **header})


def claims(role: str = "customer", customer: str = "anna", **changes: Any) -> dict[str, Any]:
    """What Keycloak puts into a token, valid for a minute; a change to None leaves the claim out."""
    now = clock.unix_ms() / 1000
    usual: dict[str, Any] = {
        "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": f"sub-{customer or role}", "exp": now + 60, "iat": now,
        "realm_access": {"roles": ["offline_access", role]},
    }  # fmt: skip
    if role == "customer":
        usual["customer_id"] = customer
    return {name: value for name, value in (usual | changes).items() if value is not None}


def unsigned(header: Mapping[str, Any], body: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = (json.dumps(header).encode(), json.dumps(body).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
