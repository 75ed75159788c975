"""What a process is told about who may call it: the issuer that it believes, and the certificates that it shows."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from chassis import certificates
from chassis.addresses import is_loopback

_SECONDS: Final[dict[str, Any]] = {"unit": "s"}


def _issuer_url(url: str) -> str:
    """Keys that are fetched in the open are anybody's keys."""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if url and not (is_safe and parts.hostname and not parts.password):
        raise ValueError("must be an https:// URL (http:// only on a loopback address)")
    return url


class AccessSettings(BaseSettings):
    """The settings of access, common to the gateway and all services."""

    auth: Literal["off", "on"] = Field(
        default="off", description="whether callers must show a token; `off` only on a loopback address"
    )
    oidc_issuer: Annotated[str, AfterValidator(_issuer_url)] = Field(
        default="", validate_default=True, description="the issuer of tokens, as their `iss` says; needed with AUTH=on"
    )
    oidc_audience: str = Field(
        default="order-system", min_length=1, description="what must stand in a token's `aud`: it was made for us"
    )
    oidc_jwks_url: Annotated[str, AfterValidator(_issuer_url)] = Field(
        default="", description="where the issuer's keys are; default: as its discovery document says"
    )
    oidc_clock_skew_seconds: float = Field(
        default=30.0, ge=0, le=300, json_schema_extra=_SECONDS,
        description="how far the issuer's clock may be from ours",
    )  # fmt: skip
    oidc_roles_claim: str = Field(
        default="realm_access.roles", min_length=1,
        description="the claim that lists roles (customer, operator, service); dots lead into objects",
    )  # fmt: skip
    oidc_customer_claim: str = Field(
        default="customer_id", min_length=1, description="the claim that says which customer a customer is"
    )
    oidc_token_url: Annotated[str, AfterValidator(_issuer_url)] = Field(
        default="", description="where a service gets tokens of its own; default: as the discovery document says"
    )
    oidc_client_id: str = Field(default="", description="as whom this service gets tokens of its own; empty: none")
    oidc_client_secret: str = Field(default="", repr=False, description="the secret that goes with it")
    tls_cert_file: FilePath | None = Field(
        default=None, description="certificate chain (PEM) shown at every port; none: plain text"
    )
    tls_key_file: FilePath | None = Field(
        default=None, validate_default=True, description="the certificate's private key (PEM)"
    )
    tls_client_ca_file: FilePath | None = Field(
        default=None, validate_default=True, description="callers must show a certificate of these authorities (PEM)"
    )
    tls_ca_file: FilePath | None = Field(
        default=None, description="other services are called by TLS, and must show a certificate of these authorities"
    )

    @property
    def asks_callers(self) -> bool:
        """Whether AUTH is on."""
        return self.auth == "on"

    @field_validator("auth", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("oidc_issuer")
    @classmethod
    def _known_where_it_is_needed(cls, url: str, info: ValidationInfo) -> str:
        if not url and info.data.get("auth") == "on":
            raise ValueError("must be set while AUTH is on")
        return url

    @field_validator("tls_key_file")
    @classmethod
    def _pair(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("tls_cert_file")
        if (file is None) != (certificate is None):
            raise ValueError("goes together with TLS_CERT_FILE")
        if certificate is None or file is None:
            return file
        return certificates.key_of(certificate, file, "TLS_CERT_FILE")

    @field_validator("tls_ca_file")
    @classmethod
    def _authorities(cls, file: Path | None) -> Path | None:
        return None if file is None else certificates.authorities(file)

    @field_validator("tls_client_ca_file")
    @classmethod
    def _only_with_tls(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("tls_cert_file") is None:
            raise ValueError("needs TLS_CERT_FILE")
        return cls._authorities(file)
