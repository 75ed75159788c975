"""The issuer's key and secret, made once in the state folder, and the tokens signed with the key."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from chassis import clock
from deploy.local.issuer import AUDIENCE, SECRET_FILE
from deploy.local.passwords import write_private

ALGORITHM = "ES256"
TOKEN_SECONDS = 8 * 3_600
"""A working day."""


@dataclass(frozen=True)
class Signer:
    """Signs as one issuer. The key's id is its thumbprint (RFC 7638), so that a new key has a new id."""

    issuer: str
    key: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> dict[str, Any]:
        """The key as the issuer's key set shows it."""
        shown: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        needed = {name: shown[name] for name in ("crv", "kty", "x", "y")}
        thumbprint = hashlib.sha256(json.dumps(needed, sort_keys=True, separators=(",", ":")).encode()).digest()
        key_id = base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")
        return needed | {"use": "sig", "alg": ALGORITHM, "kid": key_id}

    def token(self, role: str, subject: str, customer_id: str = "", audience: str = AUDIENCE) -> str:
        """A token with the claims that Keycloak would give it."""
        now = clock.unix_ms() // 1000
        claims: dict[str, Any] = {
            "iss": self.issuer, "aud": audience, "sub": subject, "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS,
            "jti": secrets.token_hex(8), "realm_access": {"roles": [role]},
        }  # fmt: skip
        more: Mapping[str, str] = {"customer_id": customer_id} if customer_id else {}
        return jwt.encode({**claims, **more}, self.key, ALGORITHM, headers={"kid": self.public["kid"]})


def signer_of(state: Path, issuer: str) -> Signer:
    """The signer whose key lies in this state folder; made when it is missing."""
    file = _folder(state) / "key.pem"
    if not file.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_private(file, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    key = load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Signer(issuer, key)


def secret_of(state: Path) -> Path:
    """The file with the secret that those must know who want tokens; readable by its owner alone."""
    file = _folder(state) / SECRET_FILE
    if not file.exists():
        write_private(file, secrets.token_hex(24))
    return file


def _folder(state: Path) -> Path:
    folder = state / "issuer"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
