"""What a service can be told from outside: typed, documented, and refused by name when it makes no sense."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis import failpoints
from chassis.addresses import is_loopback, server_addresses
from chassis.broker_settings import BrokerSettings
from chassis.brokers import Brokers
from chassis.limits.settings import LimitSettings
from chassis.masking import without_credentials
from chassis.telemetry.settings import TelemetrySettings

ROLES: Final = ("api", "worker", "relay", "jobs")
GRPC_PORTS: Final[Mapping[str, int]] = {"orders": 50051, "inventory": 50052, "suppliers": 50053, "payments": 50054}
METRICS_PORTS: Final[Mapping[str, int]] = {
    "gateway": 9100, "orders": 9101, "inventory": 9102, "suppliers": 9103, "payments": 9104,
}  # fmt: skip
SIMULATOR_PORTS: Final[Mapping[str, int]] = {"payments": 8081, "suppliers": 8082}
_HIGHEST_OFFSET: Final = 65_535 - 59_093

S = TypeVar("S", bound=BaseSettings)


def _postgres_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.username or not parts.path.strip("/"):
        raise ValueError("must be a postgresql:// URL with a role and a database")
    return _with_a_port(url)


def _with_a_port(url: str) -> str:
    """Some clients would end with a traceback at one that is no number, and try for ever at one that there is not."""
    try:
        _ = urlsplit(url).port
    except ValueError:  # whose text has the port, and so perhaps a part of a password
        raise ValueError("has a port that is none; a password in a URL is percent-encoded") from None
    return url


def _redis_url(url: str) -> str:
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must be a redis://, rediss:// or unix:// URL")
    return _with_a_port(url)


def http_url(url: str) -> str:
    """An http:// or https:// URL with a host, without what could be a secret in it; raises ValueError otherwise."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.password or parts.query):
        raise ValueError("must be an http:// or https:// URL, without password and query")
    return url.rstrip("/")


def loopback_host(host: str) -> str:
    """An address that only this machine reaches; raises ValueError for any other."""
    if not is_loopback(host):
        raise ValueError("must be a loopback address, as callers are not authenticated")
    return host


def known_actions(text: str) -> str:
    """What a FAILPOINT may say; raises ValueError otherwise."""
    failpoints.parse(text)
    return text


DatabaseUrl = Annotated[str, AfterValidator(_postgres_url)]
"""A context's own `<CONTEXT>_DATABASE_URL`: role, password and database in one."""


def unit(name: str) -> dict[str, Any]:
    """`Field(json_schema_extra=unit("s"))`: what a number counts."""
    return {"unit": name}


def port_offset() -> Any:
    """The field PORT_OFFSET, wherever it is read."""
    return Field(default=0, ge=0, le=_HIGHEST_OFFSET, description="added to every port of ours")


def simulators() -> Any:
    """The field SIMULATORS, wherever it is read."""
    told = "whether parties outside are played in this process, or asked over HTTP at their URL"
    return Field(default="inprocess", description=told)


class ServiceSettings(LimitSettings, TelemetrySettings, BrokerSettings):
    """What every service can be told; each adds its own in a subclass. Read once, at start."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, allow_inf_nan=False
    )

    database_url: DatabaseUrl | None = Field(
        default=None, repr=False, description="an owner's URL, with which --migrate makes role and schema"
    )
    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = Field(
        default=None, repr=False, description="Redis or Valkey; default redis://127.0.0.1:56379/0, port + PORT_OFFSET"
    )
    port_offset: int = port_offset()
    roles: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(ROLES), description="what this process does: any of api,worker,relay,jobs"
    )
    listen_host: str = Field(
        default="127.0.0.1", description="address to listen on; while AUTH is off, a loopback address"
    )
    orders_address: Annotated[str, AfterValidator(server_addresses)] = Field(
        default="", description="gRPC of orders, several with commas; default 127.0.0.1:50051 + PORT_OFFSET"
    )
    inventory_address: Annotated[str, AfterValidator(server_addresses)] = Field(
        default="", description="gRPC of inventory, several with commas; default 127.0.0.1:50052 + PORT_OFFSET"
    )
    suppliers_address: Annotated[str, AfterValidator(server_addresses)] = Field(
        default="", description="gRPC of suppliers, several with commas; default 127.0.0.1:50053 + PORT_OFFSET"
    )
    payments_address: Annotated[str, AfterValidator(server_addresses)] = Field(
        default="", description="gRPC of payments, several with commas; default 127.0.0.1:50054 + PORT_OFFSET"
    )
    grpc_port: int = Field(
        default=0, ge=0, le=65_535, description="gRPC port; default 50051 to 50054 by context, + PORT_OFFSET"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="port of /metrics; default 9101 to 9104 by context, + PORT_OFFSET"
    )
    ports_shared: Literal["on", "off"] = Field(
        default="off", description="whether another process may listen at our ports beside us, as a successor does"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="the least that is logged"
    )
    max_rpcs_in_flight: int = Field(
        default=4_000, ge=1, le=1_000_000, json_schema_extra=unit("calls"),
        description="calls under way beyond which new ones are refused as UNAVAILABLE",
    )  # fmt: skip
    drain_seconds: float = Field(
        default=5.0, ge=0, le=300, json_schema_extra=unit("s"), description="how long a stop waits for calls under way"
    )
    grpc_connection_seconds: float = Field(
        default=300.0, ge=0, le=86_400, json_schema_extra=unit("s"),
        description="after how long (± a tenth) callers of gRPC connect anew, and so find new instances; 0: never",
    )  # fmt: skip
    grpc_connection_grace_seconds: float = Field(
        default=0.0, ge=0, le=86_400, json_schema_extra=unit("s"),
        description="how long calls under way, also streams, may then go on by the old connection; 0: to their end",
    )  # fmt: skip
    failpoint: Annotated[str, AfterValidator(known_actions)] = Field(
        default="", description="tests only: name=crash, name=raise or name=sleep:MS, with commas"
    )

    @field_validator("roles", mode="before")
    @classmethod
    def _known_roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        roles = frozenset(filter(None, (role.strip() for role in value.split(","))))
        if not roles or roles - frozenset(ROLES):
            raise ValueError(f"must be some of {','.join(ROLES)}")
        return roles

    @field_validator("listen_host")
    @classmethod
    def _only_loopback_without_auth(cls, host: str, info: ValidationInfo) -> str:
        if not is_loopback(host) and info.data.get("auth") != "on":
            raise ValueError("must be a loopback address while AUTH is off")
        return host

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def kafka(self) -> Brokers:
        """The brokers to start from, and who we are to them."""
        return self.brokers_at(self.port_offset)

    @property
    def redis(self) -> str:
        """The URL of Redis or Valkey."""
        return self.redis_url or f"redis://127.0.0.1:{56379 + self.port_offset}/0"

    def address_of(self, context: str) -> str:
        """Where the gRPC servers of a context answer, host:port, several separated by commas."""
        told = str(getattr(self, f"{context}_address"))
        return told or f"127.0.0.1:{GRPC_PORTS[context] + self.port_offset}"

    def grpc_address(self, context: str) -> str:
        """Where the gRPC server of this process listens."""
        host = f"[{self.listen_host}]" if ":" in self.listen_host else self.listen_host
        return f"{host}:{self.grpc_port or GRPC_PORTS[context] + self.port_offset}"

    def metrics_port_of(self, context: str) -> int:
        """Where /metrics of this process answers."""
        return self.metrics_port or METRICS_PORTS[context] + self.port_offset

    def database_url_of(self, context: str) -> str:
        """The context's own database URL, from the setting `<context>_database_url` of the subclass."""
        return str(getattr(self, f"{context}_database_url"))


def load_settings(cls: type[S]) -> S:
    """The settings from the environment; when they make no sense: a line for each on stderr, and exit code 2."""
    try:
        return cls()
    except ValidationError as error:
        for line in refusals(error):
            print(line, file=sys.stderr)
        raise SystemExit(2) from None


def refusals(error: ValidationError) -> list[str]:
    """A line for each variable that makes no sense; never with a value, which may be a secret."""
    return sorted({_refusal(detail) for detail in error.errors(include_url=False, include_input=False)})


def _refusal(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]).upper() if detail["loc"] else "settings"
    if detail["type"] == "missing":
        return f"{name}: is not set"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be").partition(", unable")[0]
    return f"{name}: {without_credentials(message)}"


def settings_table(cls: type[BaseSettings]) -> str:
    """Every setting with its default, unit and meaning, for `--settings`."""
    heads = ("NAME", "DEFAULT", "UNIT", "MEANING")
    rows = [heads, *(_row(name, field) for name, field in cls.model_fields.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )


def _row(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return name.upper(), _default(field), str(extra.get("unit", "")), f"{field.description or ''}{_bounds(field)}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, frozenset | set | tuple | list):
        # In the order of the roles, where it is roles; sets have none of their own.
        return ",".join(sorted(map(str, value), key=lambda item: ROLES.index(item) if item in ROLES else -1))
    return "" if value is None else without_credentials(str(value))


def _bounds(field: FieldInfo) -> str:
    bounds = [
        f"{word} {value}"
        for mark in field.metadata
        for word, attribute in (("≥", "ge"), (">", "gt"), ("≤", "le"), ("<", "lt"))
        if (value := getattr(mark, attribute, None)) is not None
    ]
    return f" ({', '.join(bounds)})" if bounds else ""
