"""Whether the Kafka brokers take us, and if not, why: asked for health, with a connection that is closed at once."""

import asyncio
import re
from typing import Final
from urllib.parse import urlsplit

from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from chassis.brokers import Brokers
from chassis.troubles import Trouble

_PATIENCE_MS: Final = 900
_OF_TLS: Final = re.compile(r"\[SSL: \w+\] ([^(']+)")
_HUNG_UP: Final = "socket disconnected"


async def reach(brokers: Brokers) -> None:
    """Return when one of them takes us. Raises Trouble, KafkaError, or ConnectionError when nobody listens there."""
    if brokers.is_open:
        await _any_listens(brokers)
    else:
        # Who goes away in the middle of a handshake is one whose login failed, in the brokers' log and count.
        await asyncio.to_thread(log_in, brokers)


def log_in(brokers: Brokers) -> None:
    """The same by hand, with all that a login takes. Raises Trouble or KafkaError."""
    options = brokers.options()
    network = NetworkSelector(**options)
    connections = KafkaConnectionManager(network, **options)
    refusal: KafkaError = KafkaTimeoutError()
    try:
        for broker in connections.cluster.bootstrap_brokers():
            ready = connections.get_connection(broker.node_id, timeout_ms=_PATIENCE_MS).init_future
            network.poll(timeout_ms=_PATIENCE_MS, future=ready)
            if ready.succeeded():
                return
            refusal = ready.exception or refusal
    finally:
        connections.close()
        network.close()
    raise _trouble_of(refusal, brokers) or refusal


def _trouble_of(error: KafkaError, brokers: Brokers) -> Trouble | None:
    text = str(error)
    if isinstance(error, SaslAuthenticationFailedError):
        return Trouble("password", "the login is refused")
    if told := _OF_TLS.search(text):
        return Trouble("tls", f"TLS fails: {told[1].strip()}")
    if brokers.mechanism and _HUNG_UP in text:  # that is how kafka-python takes the answer to a wrong password of SCRAM
        return Trouble("password", "the login is refused: they hang up on it")
    if not isinstance(error, KafkaConnectionError | KafkaTimeoutError):
        return Trouble("refused", f"they do not speak as we do: {type(error).__name__}")
    return None


async def _any_listens(brokers: Brokers) -> None:
    if not any(await asyncio.gather(*map(_is_listening, brokers.addresses.split(",")))):
        raise ConnectionError(f"no broker listens at {brokers.addresses}")


async def _is_listening(address: str) -> bool:
    where = urlsplit(f"//{address}")
    try:
        _, writer = await asyncio.open_connection(where.hostname, where.port)
    except OSError:
        return False
    writer.close()
    return True
