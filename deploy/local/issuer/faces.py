"""What the issuer answers over HTTP: its discovery document, its keys, and tokens for client credentials."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from deploy.local.issuer.signing import TOKEN_SECONDS, Signer

DEVELOPMENT = "development"
"""The client that may ask for tokens of anybody; every other one gets its own, of a service."""
ROLES = ("customer", "operator", "service")
_LARGEST_FORM = 10_000
_LONGEST = 255


class Refused(Exception):
    """No token; `code` as RFC 6749, section 5.2, names it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": code, "error_description": message}


class Desk:
    """Hands out tokens to those who know the secret."""

    def __init__(self, signer: Signer, secret: Path) -> None:
        self._signer = signer
        self._secret = secret
        self._known = secret.read_text()

    @property
    def discovery(self) -> Mapping[str, Any]:
        """The document that OpenID Connect Discovery asks for; and where those of this account find the secret."""
        issuer = self._signer.issuer
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/keys",
            "token_endpoint": f"{issuer}/token",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._signer.public["alg"]],
            "development_secret_file": str(self._secret),
        }

    @property
    def keys(self) -> Mapping[str, Any]:
        """The key set."""
        return {"keys": [self._signer.public]}

    def token(self, form: Mapping[str, str], authorization: str) -> Mapping[str, Any]:
        """A token response. Raises Refused."""
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", "only client_credentials")
        client_id, secret = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        if not client_id or not hmac.compare_digest(secret.encode(), self._known.encode()):
            raise Refused(401, "invalid_client", f"the secret is in {self._secret}")
        token = self._anybody(form) if client_id == DEVELOPMENT else self._signer.token("service", client_id)
        return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

    def _anybody(self, form: Mapping[str, str]) -> str:
        role, customer_id = form.get("role", "customer"), form.get("customer_id", "")
        subject = form.get("subject") or customer_id or role
        if role not in ROLES or (role == "customer") != bool(customer_id):
            raise Refused(400, "invalid_request", "a customer_id, or role=operator, or role=service")
        if max(len(subject), len(customer_id)) > _LONGEST:
            raise Refused(400, "invalid_request", f"at most {_LONGEST} characters")
        return self._signer.token(role, subject, customer_id)


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote(client_id), unquote(secret)


def server_of(desk: Desk, port: int) -> ThreadingHTTPServer:
    """The desk, served on the loopback address and nowhere else. Raises OSError when the port is taken."""
    handler = type("DeskHandler", (Handler,), {"desk": desk})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


class Handler(BaseHTTPRequestHandler):
    """One request to a desk."""

    desk: Desk
    timeout = 10

    def do_GET(self) -> None:
        """Discovery and keys."""
        found = {"/.well-known/openid-configuration": self.desk.discovery, "/keys": self.desk.keys}.get(self.path)
        self._say(*((200, found) if found and self._is_meant else (404, {"error": "not_found"})))

    def do_POST(self) -> None:
        """Tokens."""
        if self.path != "/token" or not self._is_meant:
            self._say(404, {"error": "not_found"})
            return
        try:
            self._say(200, self.desk.token(self._form(), self.headers.get("authorization", "")))
        except Refused as refused:
            self._say(refused.status, refused.document)

    @property
    def _is_meant(self) -> bool:
        """A page in a browser that has its own name lead to this machine is not let in."""
        name, _, port = self.headers.get("host", "").rpartition(":")
        return name in ("127.0.0.1", "localhost") and port == str(self.connection.getsockname()[1])

    def _form(self) -> Mapping[str, str]:
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _LARGEST_FORM:
            raise Refused(400, "invalid_request", "the form is too large")
        text = self.rfile.read(int(length)).decode(errors="replace")
        return {name: values[-1] for name, values in parse_qs(text).items()}

    def _say(self, status: int, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: what is asked for here is nobody's business, and the services log what they do with it."""
