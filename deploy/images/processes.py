"""What may be run in the image, and where each process of it answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.settings import GRPC_PORTS, METRICS_PORTS
from gateway.settings import REST_PORT


@dataclass(frozen=True)
class Process:
    """A module that runs until it is told to stop; `port_setting` is the variable that moves its port elsewhere."""

    module: str
    context: str
    port: int
    port_setting: str

    @property
    def metrics_port(self) -> int:
        return METRICS_PORTS[self.context]

    def port_in(self, environment: Mapping[str, str]) -> int:
        """Where it answers when it is told this."""
        return int(environment.get(self.port_setting) or self.port + int(environment.get("PORT_OFFSET") or 0))


MODULES = {
    "order_service": "orders",
    "inventory_service": "inventory",
    "payment_service": "payments",
    "supplier_service": "suppliers",
}
SERVICES = tuple(Process(module, context, GRPC_PORTS[context], "GRPC_PORT") for module, context in MODULES.items())
GATEWAY = Process("gateway", "gateway", REST_PORT, "REST_PORT")
PROCESSES = (*SERVICES, GATEWAY)
TASKS: Mapping[str, str] = {
    **{f"{service.module} --migrate": f"make or renew the schema of {service.context}" for service in SERVICES},
    "chassis.topics": "make the topics that Kafka does not have yet",
    "gateway.orderctl": "the command line of the system",
}
"""What ends by itself."""
