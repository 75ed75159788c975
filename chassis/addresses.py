"""Addresses: whether one has sense, which ones only this machine reaches, and what gRPC calls several of them."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

ChannelOptions = Sequence[tuple[str, str | int]]

_IN_TURN: Final = ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')
"""Whoever answers at one of several addresses, or at one of those behind a name, is asked in turn."""
_LOCALHOST: Final = "localhost"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    found = _ip_in(host)
    return host == _LOCALHOST or (found is not None and found.is_loopback)


def _ip_in(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that it is, in brackets or not; None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def host_and_port(text: str) -> str:
    """One host:port, or nothing; raises ValueError for anything else."""
    host, _, port = text.rpartition(":")
    if text and not (host and "/" not in host and port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError("must be host:port")
    return text


def server_addresses(text: str) -> str:
    """Where one context answers: host:port, or several separated by commas; raises ValueError for anything else.

    Several are IP addresses of one kind, because gRPC asks no name server about a list: one name may stand for many.
    """
    addresses = [host_and_port(address.strip()) for address in text.split(",")]
    if len(addresses) > 1:
        if len(set(addresses)) < len(addresses):
            raise ValueError("must not name an address twice")
        if len({_kind_of(address) for address in addresses}) > 1:
            raise ValueError("must be IPv4 addresses alone or IPv6 addresses alone, where there are several")
    return ",".join(addresses)


def _kind_of(address: str) -> str:
    if (found := _ip_in(address.rpartition(":")[0])) is None:
        raise ValueError("must be IP addresses, where there are several; one name may stand for many")
    return f"ipv{found.version}"


def target_of(addresses: str) -> str:
    """What gRPC calls one address, or several that are separated by commas."""
    return f"{_kind_of(addresses.partition(',')[0])}:{addresses}" if "," in addresses else addresses


def options_for(addresses: str, options: ChannelOptions) -> ChannelOptions:
    """A channel's options, and what makes it ask several servers in turn.

    Several that show certificates have to show the name, or address, of the first.
    """
    if "," in addresses:
        return [*options, _IN_TURN, ("grpc.default_authority", addresses.partition(",")[0])]
    return options if _is_one_server(addresses) else [*options, _IN_TURN]


def _is_one_server(address: str) -> bool:
    """Whether there is no turn to take.

    A channel that takes turns connects again by its own clock, and refuses at once until then: a lone server that has
    come back is found up to a second later. One that does not take turns tries at the next call.
    """
    host = address.rpartition(":")[0]
    return host == _LOCALHOST or _ip_in(host) is not None
