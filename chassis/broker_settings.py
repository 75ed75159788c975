"""What a process is told about the Kafka brokers: where they are, how they are spoken to, and who it is to them."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, FilePath, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from chassis import certificates
from chassis.addresses import host_and_port
from chassis.brokers import Brokers

_PROTOCOL: Final = "KAFKA_SECURITY_PROTOCOL"
_WITH_TLS: Final = ("SSL", "SASL_SSL")
_WITH_LOGIN: Final = ("SASL_SSL", "SASL_PLAINTEXT")


def broker_addresses(text: str) -> str:
    """One or more host:port, separated by commas; raises ValueError for anything else."""
    return ",".join(host_and_port(address.strip()) for address in text.split(","))


def bootstrap_servers(told: str, offset: int) -> str:
    """The brokers that were named, or the one of this machine."""
    return told or f"127.0.0.1:{59092 + offset}"


class BrokerSettings(BaseSettings):
    """The settings of Kafka, common to all services and to `python -m chassis.topics`."""

    kafka_bootstrap_servers: Annotated[str, AfterValidator(broker_addresses)] = Field(
        default="", description="brokers, host:port; default 127.0.0.1:59092 + PORT_OFFSET"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = Field(
        default="PLAINTEXT",
        description="how the brokers are spoken to: by TLS (…SSL) or not, with a login (SASL_…) or not",
    )
    kafka_sasl_mechanism: Literal["", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="", validate_default=True, description="how we log in; needed with a login"
    )
    kafka_user: str = Field(default="", validate_default=True, description="as whom we log in; needed with a login")
    kafka_password: str = Field(
        default="", validate_default=True, repr=False, description="the user's password; needed with a login"
    )
    kafka_tls_ca_file: FilePath | None = Field(
        default=None,
        description="brokers must show a certificate of these authorities (PEM); none: those of this machine",
    )
    kafka_tls_cert_file: FilePath | None = Field(
        default=None, description="certificate chain (PEM) that we show to the brokers; none: we show none"
    )
    kafka_tls_key_file: FilePath | None = Field(
        default=None, validate_default=True, description="that certificate's private key (PEM)"
    )

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _any_case_will_do(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("kafka_sasl_mechanism", "kafka_user", "kafka_password")
    @classmethod
    def _goes_with_a_login(cls, text: str, info: ValidationInfo) -> str:
        protocol = _protocol(info)
        if protocol in _WITH_LOGIN and not text:
            raise ValueError(f"must be set with {_PROTOCOL}={protocol}")
        if protocol and protocol not in _WITH_LOGIN and text:
            raise ValueError(f"needs {_PROTOCOL}={' or '.join(_WITH_LOGIN)}")
        return text

    @field_validator("kafka_tls_ca_file", "kafka_tls_cert_file", "kafka_tls_key_file")
    @classmethod
    def _goes_with_tls(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        protocol = _protocol(info)
        if file is not None and protocol and protocol not in _WITH_TLS:
            raise ValueError(f"needs {_PROTOCOL}={' or '.join(_WITH_TLS)}")
        return file

    @field_validator("kafka_tls_ca_file")
    @classmethod
    def _authorities(cls, file: Path | None) -> Path | None:
        return None if file is None else certificates.authorities(file)

    @field_validator("kafka_tls_key_file")
    @classmethod
    def _pair(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if "kafka_tls_cert_file" not in info.data:  # it has a line of its own
            return file
        certificate = info.data["kafka_tls_cert_file"]
        if (file is None) != (certificate is None):
            raise ValueError("goes together with KAFKA_TLS_CERT_FILE")
        return None if file is None else certificates.key_of(certificate, file, "KAFKA_TLS_CERT_FILE")

    def brokers_at(self, port_offset: int) -> Brokers:
        """The brokers, and what they are told of us."""
        return Brokers(
            bootstrap_servers(self.kafka_bootstrap_servers, port_offset),
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            user=self.kafka_user,
            password=self.kafka_password,
            authorities=self.kafka_tls_ca_file,
            certificate=self.kafka_tls_cert_file,
            key=self.kafka_tls_key_file,
        )


def _protocol(info: ValidationInfo) -> Any:
    """What is said of the protocol; None where that is nonsense, and has a line of its own."""
    return info.data.get("kafka_security_protocol")
