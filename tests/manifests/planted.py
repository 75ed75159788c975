"""Mistakes to plant in the manifests, by the sentence that is to be said of each."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.manifests import environment, kafka, monitors, network, probes, running, schemas, stores
from tests.manifests.workloads import Manifests

CONTAINER = ("spec", "template", "spec", "containers", 0)
POD = CONTAINER[:-2]
LISTENER = ("spec", "kafka", "listeners", 0)
ACL = ("spec", "authorization", "acls", 0)

Check = Callable[[Manifests], Iterator[str]]
Plant = Callable[[Manifests], None]


def at(kind: str, name: str, path: tuple[Any, ...], value: Any) -> Plant:
    """Put a value somewhere in a document."""

    def plant(manifests: Manifests) -> None:
        found: Any = manifests.named(kind, name)
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = value

    return plant


def without(kind: str, name: str, path: tuple[Any, ...]) -> Plant:
    """Take something out of a document."""

    def plant(manifests: Manifests) -> None:
        found: Any = manifests.named(kind, name)
        for step in path[:-1]:
            found = found[step]
        del found[path[-1]]

    return plant


def variable(workload: str, name: str, told: Any = None) -> Plant:
    """Change, or with nothing take out, a variable of a Deployment."""

    def plant(manifests: Manifests) -> None:
        found: Any = manifests.named("Deployment", workload)
        there: list[Any] = found["spec"]["template"]["spec"]["containers"][0]["env"]
        position = next(index for index, entry in enumerate(there) if entry["name"] == name)
        there[position : position + 1] = [told] if told else []

    return plant


def setting(name: str, text: str | None) -> Plant:
    """Change, or with None take out, a setting that all are told."""

    def plant(manifests: Manifests) -> None:
        for settings in manifests.of("ConfigMap"):
            settings["data"].pop(name, None)
            settings["data"] |= {} if text is None else {name: text}

    return plant


def secret(name: str, secret: str, key: str) -> Any:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def open_postgres(manifests: Manifests) -> None:
    """Both ends must be open: one policy lets everybody out to Postgres, the other everybody in."""
    at("NetworkPolicy", "to-postgres", ("spec", "podSelector"), {})(manifests)
    at("NetworkPolicy", "postgres", ("spec", "ingress", 0), {})(manifests)


def no_keda(manifests: Manifests) -> None:
    """Both say who may come: the policy, and that which Strimzi makes of the listener."""
    at("NetworkPolicy", "kafka", ("spec", "ingress", 0, "from", 1), {"podSelector": {}})(manifests)
    at("Kafka", "order-system", (*LISTENER, "networkPolicyPeers", 1), {"podSelector": {}})(manifests)


OF_SETTINGS = {
    "orders-api: ORDERS_DATABASE_URL: is not set": variable("orders-api", "ORDERS_DATABASE_URL"),
    "payments-worker: PAYMENTS_SIMULATOR_DATABASE_URL: is not set": variable(
        "payments-worker", "PAYMENTS_SIMULATOR_DATABASE_URL"
    ),
    "ROLES: is not set": variable("orders-relay", "ROLES"),
    "ROLES: must be some of": variable("orders-relay", "ROLES", told={"name": "ROLES", "value": "relais"}),
    "ORDER_DATABASE_URL is no setting": variable(
        "orders-api", "ORDERS_DATABASE_URL", secret("ORDER_DATABASE_URL", "orders-database", "url")
    ),
    "nobody makes the secret orders-db": variable(
        "orders-api", "ORDERS_DATABASE_URL", secret("ORDERS_DATABASE_URL", "orders-db", "url")
    ),
    "nobody makes the secret redis with the key uri": variable(
        "orders-api", "REDIS_URL", secret("REDIS_URL", "redis", "uri")
    ),
    "DRAIN_TIME is no setting": setting("DRAIN_TIME", "5"),
    "DRAIN_SECONDS: ": setting("DRAIN_SECONDS", "soon"),
    "OIDC_ISSUER: must be set while AUTH is on": setting("OIDC_ISSUER", None),
    "LISTEN_HOST: must be a loopback address": setting("AUTH", "off"),
    "LISTEN_HOST: is not set": setting("LISTEN_HOST", None),
    "ORDERS_ADDRESS: is an address of the pod": setting("ORDERS_ADDRESS", "localhost:50051"),
    "KAFKA_BOOTSTRAP_SERVERS: is not set": setting("KAFKA_BOOTSTRAP_SERVERS", None),
    "PAYMENT_PROVIDER_URL: is not set": setting("PAYMENT_PROVIDER_URL", None),
    "SUPPLIER_TOKEN: is not set": variable("suppliers-worker", "SUPPLIER_TOKEN"),
    "order_servise is nothing that runs": at("Deployment", "orders-api", (*CONTAINER, "args"), ["order_servise"]),
    "is not called with ['--migrat']": at("Job", "migrate-orders", (*CONTAINER, "args"), ["order_service", "--migrat"]),
}
OF_PROBES = {
    "orders-api has the ports": at("Deployment", "orders-api", (*CONTAINER, "ports", 0, "containerPort"), 50052),
    "payments-worker has the ports": at(
        "Deployment", "payments-worker", (*CONTAINER, "ports", 1, "containerPort"), 9100
    ),
    "asks port 50051": at("Deployment", "inventory-api", (*CONTAINER, "readinessProbe", "grpc", "port"), 50051),
    "livenessProbe asks for the health of 'database'": at(
        "Deployment", "orders-api", (*CONTAINER, "livenessProbe", "grpc", "service"), "database"
    ),
    "livenessProbe asks /health/ready": at(
        "Deployment", "gateway", (*CONTAINER, "livenessProbe", "httpGet", "path"), "/health/ready"
    ),
    "readinessProbe is missing": without("Deployment", "orders-api", (*CONTAINER, "readinessProbe")),
    "Service/orders stands for nobody": at(
        "Service", "orders", ("spec", "selector", "app.kubernetes.io/component"), "apis"
    ),
    "Service/orders has one address": without("Service", "orders", ("spec", "clusterIP")),
    "Service/payments: port 50051 is not that": at("Service", "payments", ("spec", "ports", 0, "port"), 50051),
    "ORDERS_ADDRESS leads to order:50051": setting("ORDERS_ADDRESS", "order:50051"),
    "leads to order-system-kafka-bootstrap:9092": setting(
        "KAFKA_BOOTSTRAP_SERVERS", "order-system-kafka-bootstrap:9092"
    ),
    "Ingress/gateway leads to": at("Service", "gateway", ("spec", "ports", 0, "name"), "http"),
}
OF_STORES = {
    "the topic orders.event is not in": at("KafkaTopic", "orders.events", ("metadata", "name"), "orders.event"),
    "the topic orders.events is missing": at("KafkaTopic", "orders.events", ("metadata", "name"), "orders.event"),
    "the topic inventory.products is configured": at("KafkaTopic", "inventory.products", ("spec", "config"), {}),
    "has 6 partitions": at("KafkaTopic", "payments.events", ("spec", "partitions"), 6),
    "the topic payments.events has not 3 copies": at("KafkaTopic", "payments.events", ("spec", "replicas"), 2),
    "may have two brokers on one node": without("KafkaNodePool", "broker", ("spec", "template")),
    "two Postgres may be on one node": at(
        "Cluster", "order-system-db", ("spec", "affinity", "podAntiAffinityType"), "preferred"
    ),
    "fewer than 3 brokers": at("KafkaNodePool", "broker", ("spec", "replicas"), 1),
    "Postgres has 2 instances": at("Cluster", "order-system-db", ("spec", "instances"), 2),
    "one Postgres alone": at("Cluster", "order-system-db", ("spec", "postgresql", "synchronous", "number"), 0),
    "archived nowhere": without("Cluster", "order-system-db", ("spec", "backup")),
    "copies of Postgres each night": at("ScheduledBackup", "order-system-db", ("spec", "cluster", "name"), "other"),
    "cannot log in with": at(
        "Cluster", "order-system-db", ("spec", "managed", "roles", 0, "passwordSecret", "name"), "inventory-database"
    ),
    "has rights on what is others'": at(
        "Cluster", "order-system-db", ("spec", "managed", "roles", 0, "superuser"), True
    ),
    "the schemas are": at("Database", "orders-db", ("spec", "schemas", 0, "owner"), "payments"),
    "ScaledObject/payments-worker looks at": at(
        "ScaledObject", "payments-worker", ("spec", "triggers", 0, "metadata", "consumerGroup"), "payment"
    ),
    "processes may open 13 each": at(
        "Cluster", "order-system-db", ("spec", "postgresql", "parameters", "max_connections"), "700"
    ),
    "Postgres is killed above 2048 MiB": at(
        "Cluster", "order-system-db", ("spec", "resources", "limits", "memory"), "2Gi"
    ),
    "more than 12": at("ScaledObject", "payments-worker", ("spec", "maxReplicaCount"), 13),
}
OF_KAFKA = {
    "asks nobody for a certificate": without("Kafka", "order-system", (*LISTENER, "authentication")),
    "the listener tls of Kafka asks nobody": at("Kafka", "order-system", (*LISTENER, "tls"), False),
    "may do everything": without("Kafka", "order-system", ("spec", "kafka", "authorization")),
    "nobody makes the users": without("Kafka", "order-system", ("spec", "entityOperator", "userOperator")),
    "orders-api: does not speak to Kafka by TLS": variable("orders-api", "KAFKA_SECURITY_PROTOCOL"),
    "KAFKA_TLS_CA_FILE is not ca.crt": variable(
        "orders-api", "KAFKA_TLS_CA_FILE", told={"name": "KAFKA_TLS_CA_FILE", "value": "/etc/kafka/authority.crt"}
    ),
    "is not user.crt of the secret payments-kafka": at(
        "Deployment",
        "payments-worker",
        (*POD, "volumes", 1, "projected", "sources", 0, "secret", "name"),
        "orders-kafka",
    ),
    "Kafka has no user payments-kafka": at("KafkaUser", "payments-kafka", ("metadata", "name"), "payment-kafka"),
    "nobody is the user payment-kafka": at("KafkaUser", "payments-kafka", ("metadata", "name"), "payment-kafka"),
    "suppliers-kafka may Alter the topic": at(
        "KafkaUser", "suppliers-kafka", (*ACL, "operations"), ["Write", "Describe", "Alter"]
    ),
    "suppliers-kafka may not Write the topic": at("KafkaUser", "suppliers-kafka", (*ACL, "operations"), ["Describe"]),
    "may Write the topic suppliers.events*": at(
        "KafkaUser", "suppliers-kafka", (*ACL, "resource", "patternType"), "prefix"
    ),
    "inventory-kafka has no certificate": at(
        "KafkaUser", "inventory-kafka", ("spec", "authentication", "type"), "scram-sha-512"
    ),
    "ScaledObject/orders-worker does not ask Kafka in words of its version": without(
        "ScaledObject", "orders-worker", ("spec", "triggers", 0, "metadata", "version")
    ),
    "ScaledObject/orders-worker does not ask Kafka as keda-kafka": without(
        "ScaledObject", "orders-worker", ("spec", "triggers", 0, "authenticationRef")
    ),
}
OF_NETWORK = {
    "somebody else's namespace may reach gateway:8080": without(
        "NetworkPolicy", "gateway", ("spec", "ingress", 0, "from")
    ),
    "gateway may reach postgres:5432": open_postgres,
    "gateway does not reach orders-api:50051": at(
        "NetworkPolicy", "orders-api", ("spec", "ingress", 0, "from", 0, "podSelector", "matchLabels"), {"a": "b"}
    ),
    "orders-api does not reach inventory-api:50052": at(
        "NetworkPolicy", "orders-asks-inventory", ("spec", "egress", 0, "ports", 0, "port"), 50051
    ),
    "orders-jobs does not reach inventory-api:50052": at(
        "NetworkPolicy",
        "orders-asks-inventory",
        ("spec", "podSelector", "matchExpressions", 0, "values"),
        ["api"],
    ),
    "after step 1 kafka does not reach names:53": at("NetworkPolicy", "names-of-stores", ("spec", "egress"), []),
    "after step 2 migrate-orders does not reach names:53": at(
        "NetworkPolicy",
        "names-of-stores",
        ("spec", "podSelector"),
        {"matchExpressions": [{"key": "app.kubernetes.io/part-of", "operator": "In", "values": ["somebody"]}]},
    ),
    "migrate-orders does not reach postgres:5432": at(
        "NetworkPolicy", "to-postgres", ("spec", "podSelector"), {"matchLabels": {"app.kubernetes.io/name": "orders"}}
    ),
    "orders-api may reach the world:25": at(
        "NetworkPolicy", "to-the-world", ("spec", "egress", 0, "ports", 0, "port"), 25
    ),
    "keda does not reach kafka:9093": no_keda,
    "somebody else's namespace may reach kafka:9093": without(
        "Kafka", "order-system", (*LISTENER, "networkPolicyPeers")
    ),
    "orders-api does not reach restored postgres:5432": at(
        "NetworkPolicy", "postgres", ("spec", "podSelector"), {"matchLabels": {"cnpg.io/cluster": "order-system-db"}}
    ),
    "prometheus does not reach orders-jobs:9101": at("NetworkPolicy", "metrics", ("spec", "ingress"), []),
}
OF_MONITORS = {
    "nothing has Prometheus ask postgres:9187": at(
        "PodMonitor", "postgres", ("spec", "podMetricsEndpoints", 0, "port"), "exporter"
    ),
    "nothing has Prometheus ask orders-jobs:9101": at(
        "PodMonitor", "services", ("spec", "selector", "matchExpressions", 1, "values"), ["api", "worker", "relay"]
    ),
    "nothing has Prometheus ask gateway:9100": at(
        "ServiceMonitor", "gateway", ("spec", "selector"), {"matchLabels": {"app.kubernetes.io/name": "gate"}}
    ),
    "Prometheus is to ask gateway:8080, and may not": at(
        "ServiceMonitor", "gateway", ("spec", "endpoints", 0, "port"), "rest"
    ),
}
OF_RUNNING = {
    "orders-api may run as root": without("Deployment", "orders-api", (*POD, "securityContext", "runAsNonRoot")),
    "any system call": without("Deployment", "orders-api", (*POD, "securityContext", "seccompProfile")),
    "may write to its root": at(
        "Job", "migrate-orders", (*CONTAINER, "securityContext", "readOnlyRootFilesystem"), False
    ),
    "keeps capabilities": at("Deployment", "valkey", (*CONTAINER, "securityContext", "capabilities"), {}),
    "may gain rights": without("Deployment", "gateway", (*CONTAINER, "securityContext", "allowPrivilegeEscalation")),
    "is shown a token": without("Deployment", "gateway", (*POD, "automountServiceAccountToken")),
    "mounts {'name': 'tmp', 'hostPath'": at(
        "Deployment", "gateway", (*POD, "volumes", 0), {"name": "tmp", "hostPath": {"path": "/"}}
    ),
    "what it needs of CPU": without("Deployment", "gateway", (*CONTAINER, "resources", "requests", "cpu")),
    "take all memory": without("Deployment", "gateway", (*CONTAINER, "resources", "limits")),
    "is killed after 30 s": at("Deployment", "orders-api", (*POD, "terminationGracePeriodSeconds"), 30),
    "is killed after 75 s": setting("DRAIN_SECONDS", "20"),
    "stops before everybody": without("Deployment", "orders-api", (*CONTAINER, "lifecycle")),
    "has 0 disruption budgets": at(
        "PodDisruptionBudget", "orders-api", ("spec", "selector", "matchLabels"), {"app.kubernetes.io/name": "order"}
    ),
    "gone from all nodes": at("PodDisruptionBudget", "orders-api", ("spec", "maxUnavailable"), "100%"),
    "not spread over nodes": without("Deployment", "orders-api", (*POD, "topologySpreadConstraints", 0)),
    "spread together with others": at(
        "Deployment", "orders-api", (*POD, "topologySpreadConstraints", 0, "labelSelector", "matchLabels"), {}
    ),
    "scales orders, which is not there": at(
        "HorizontalPodAutoscaler", "orders-api", ("spec", "scaleTargetRef", "name"), "orders"
    ),
    "has a number of its own": at("Deployment", "orders-api", ("spec", "replicas"), 3),
    "gone when its one pod goes": at("Deployment", "orders-relay", ("spec", "replicas"), 1),
    "is scaled twice": at("HorizontalPodAutoscaler", "orders-api", ("spec", "scaleTargetRef", "name"), "gateway"),
    "several releases": at("Deployment", "orders-api", (*CONTAINER, "image"), "registry.example/order-system:0.0.9"),
    "shows REDIS_PASSWORD to everybody": at(
        "Deployment", "valkey", (*CONTAINER, "args"), ["valkey-server", "--requirepass", "$(REDIS_PASSWORD)"]
    ),
    "valkey is valkey/valkey:8.1, and valkey/valkey:9.1 with Compose": at(
        "Deployment", "valkey", (*CONTAINER, "image"), "valkey/valkey:8.1"
    ),
    "kafka is apache/kafka:4.2.0": at("Kafka", "order-system", ("spec", "kafka", "version"), "4.2.0"),
    "runs whatever is there": at("Deployment", "valkey", (*CONTAINER, "image"), "valkey/valkey"),
}
OF_SCHEMAS = {
    "Deployment/orders-api: spec": at("Deployment", "orders-api", ("spec", "replica"), 2),
    "NetworkPolicy/gateway: spec": at("NetworkPolicy", "gateway", ("spec", "policyTypes"), "Egress"),
}
OF_TRACES: list[tuple[Check, str, Plant]] = [
    (
        network.complaints,
        "orders-api does not reach collector:4317",
        at("NetworkPolicy", "to-collector", ("spec", "egress", 0, "ports", 0, "port"), 4318),
    ),
    (
        network.complaints,
        "gateway does not reach collector:4317",
        setting("OTLP_ENDPOINT", "http://otel-collector.monitoring.svc:4317"),
    ),
    (environment.complaints, "OTLP_ENDPOINT: must be http://host:port", setting("OTLP_ENDPOINT", "collector:4317")),
    (environment.complaints, "TRACES_SAMPLE_RATIO: needs OTLP_ENDPOINT", setting("OTLP_ENDPOINT", None)),
]
"""Where spans are sent somewhere."""
PLANTED: list[tuple[Check, str, Plant]] = [
    (check, sentence, plant)
    for check, planted in (
        (environment.complaints, OF_SETTINGS),
        (probes.complaints, OF_PROBES),
        (stores.complaints, OF_STORES),
        (kafka.complaints, OF_KAFKA),
        (network.complaints, OF_NETWORK),
        (monitors.complaints, OF_MONITORS),
        (running.complaints, OF_RUNNING),
        (lambda manifests: (said for one in manifests.documents for said in schemas.complaints(one)), OF_SCHEMAS),
    )
    for sentence, plant in planted.items()
]
