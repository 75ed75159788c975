"""Whether Kafka and Postgres hold what the code uses: topics, groups, roles, schemas, and how many copies."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy.pool import QueuePool

from chassis.database import Database
from chassis.topics import TOPICS, TopicSettings
from deploy.kubernetes import secrets
from tests.manifests.groups import consumer_groups
from tests.manifests.network import selects
from tests.manifests.workloads import Manifests

PRODUCTION: Final = "production"
COPIES: Final = 3
COPIES_BEFORE_THE_ANSWER: Final = 2
FOR_OTHERS: Final = 20
"""Connections of migrations, of the operator and its exporter, and those that Postgres keeps for superusers."""
OF_A_CONNECTION: Final = 5
"""MiB of memory, taken high: what a server process has of its own with its plans and the copy of the catalogue."""
SHARED: Final = "128MB"
"""What Postgres takes for shared_buffers when it is told nothing."""
_MIN_INSYNC: Final = "min.insync.replicas"


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each difference."""
    yield from _of_topics(manifests)
    yield from _of_roles(manifests)
    yield from _of_scaling(manifests)
    yield from _of_connections(manifests)
    yield from _of_memory(manifests)
    if manifests.name == PRODUCTION:
        yield from _of_copies(manifests)


def _of_topics(manifests: Manifests) -> Iterator[str]:
    told = {topic["metadata"]["name"]: topic["spec"] for topic in manifests.of("KafkaTopic")}
    table = {topic.name: dict(topic.configs) for topic in TOPICS}
    yield from (f"the topic {name} is not in chassis/topics.py" for name in sorted(set(told) - set(table)))
    yield from (f"the topic {name} is missing" for name in sorted(set(table) - set(told)))
    partitions = TopicSettings.model_fields["kafka_partitions"].default
    for name in sorted(set(table) & set(told)):
        config = {key: str(value) for key, value in told[name]["config"].items() if key != _MIN_INSYNC}
        if config != table[name]:
            yield f"the topic {name} is configured {config}, in chassis/topics.py {table[name]}"
        if told[name]["partitions"] != partitions:
            yield f"the topic {name} has {told[name]['partitions']} partitions, not {partitions}"


def _of_roles(manifests: Manifests) -> Iterator[str]:
    names = set(secrets.ROLES)
    for cluster in manifests.of("Cluster"):
        roles = {role["name"]: role for role in cluster["spec"]["managed"]["roles"]}
        if set(roles) != names:
            yield f"Postgres has the roles {sorted(roles)}, not {sorted(names)}"
        for name, role in roles.items():
            if role["passwordSecret"]["name"] != secrets.database_secret(name) or not role.get("login"):
                yield f"the role {name} cannot log in with the secret {secrets.database_secret(name)}"
            if role.get("superuser") or role.get("inRoles"):
                yield f"the role {name} has rights on what is others'"
    for database in manifests.of("Database"):
        schemas = {schema["name"]: schema.get("owner") for schema in database["spec"]["schemas"]}
        if schemas != {name: name for name in names}:
            yield f"the schemas are {schemas}: each is to be owned by the role of its name, {sorted(names)}"
        if database["spec"]["name"] != secrets.DATABASE:
            yield f"the database is {database['spec']['name']}, not {secrets.DATABASE}"


def _of_scaling(manifests: Manifests) -> Iterator[str]:
    partitions = TopicSettings.model_fields["kafka_partitions"].default
    for scaled in manifests.of("ScaledObject"):
        name, spec = scaled["metadata"]["name"], scaled["spec"]
        context = name.removesuffix("-worker")
        triggers = [trigger["metadata"] for trigger in spec["triggers"]]
        told = {(trigger["consumerGroup"], trigger["topic"]) for trigger in triggers}
        read = {(group, topic) for group, topics in consumer_groups().get(context, {}).items() for topic in topics}
        if told != read:
            yield f"ScaledObject/{name} looks at {sorted(told)}, and the service reads {sorted(read)}"
        if spec["maxReplicaCount"] > partitions:
            yield f"ScaledObject/{name}: more than {partitions} have nothing to read"
        brokers = {trigger["bootstrapServers"] for trigger in triggers}
        there = {f"{kafka['metadata']['name']}-kafka-bootstrap.order-system.svc" for kafka in manifests.of("Kafka")}
        if {broker.rpartition(":")[0] for broker in brokers} != there:
            yield f"ScaledObject/{name} asks {sorted(brokers)}, and Kafka is {sorted(there)}"


def connections() -> int:
    """Of one process at most: the pool, what it may open beyond it for a moment, and the one that hears the bell."""
    database = Database("postgresql://nobody@127.0.0.1:1/none", schema="none", application_name="none")
    pool = database.engine.pool
    database.close()
    assert isinstance(pool, QueuePool)
    return pool.size() + pool._max_overflow + 1


def _of_connections(manifests: Manifests) -> Iterator[str]:
    """As many as all processes may open at most, while a new one of each stands beside the old ones."""
    most = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"].get("maxReplicas") or scaler["spec"]["maxReplicaCount"]
        for scaler in manifests.of("HorizontalPodAutoscaler", "ScaledObject")
    }
    services = [process for process in manifests.processes if process.package != "gateway"]
    pods = sum(1 + most.get(process.name, process.document["spec"].get("replicas", 1)) for process in services)
    for cluster in manifests.of("Cluster"):
        there = _sessions(cluster)
        if there < pods * connections() + FOR_OTHERS:
            yield f"Postgres takes {there} connections, and {pods} processes may open {connections()} each"


def _sessions(cluster: Any) -> int:
    return int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])


def _of_memory(manifests: Manifests) -> Iterator[str]:
    for cluster in manifests.of("Cluster"):
        shared = cluster["spec"]["postgresql"]["parameters"].get("shared_buffers", SHARED)
        needed = _mebibytes(shared) + OF_A_CONNECTION * _sessions(cluster)
        limit = _mebibytes(cluster["spec"]["resources"]["limits"]["memory"])
        if limit < needed:
            yield f"Postgres is killed above {limit} MiB, and {_sessions(cluster)} connections may need {needed} MiB"


def _mebibytes(text: str) -> int:
    units = {"Mi": 1, "MB": 1, "Gi": 1024, "GB": 1024}
    return int(text[:-2]) * units[text[-2:]]


def _of_copies(manifests: Manifests) -> Iterator[str]:
    for topic in manifests.of("KafkaTopic"):
        name, spec = topic["metadata"]["name"], topic["spec"]
        if spec["replicas"] != COPIES or spec["config"].get(_MIN_INSYNC) != COPIES_BEFORE_THE_ANSWER:
            yield f"the topic {name} has not {COPIES} copies, {COPIES_BEFORE_THE_ANSWER} of them before the answer"
    for pool in manifests.of("KafkaNodePool"):
        if pool["spec"]["replicas"] < COPIES:
            yield f"KafkaNodePool/{pool['metadata']['name']} has fewer than {COPIES} brokers"
        if not _is_apart(pool):
            yield f"KafkaNodePool/{pool['metadata']['name']} may have two brokers on one node"
    for cluster in manifests.of("Cluster"):
        yield from _of_postgres(cluster["spec"])
    backed_up = {backup["spec"]["cluster"]["name"] for backup in manifests.of("ScheduledBackup")}
    if {cluster["metadata"]["name"] for cluster in manifests.of("Cluster")} - backed_up:
        yield "nothing takes copies of Postgres each night"


def _is_apart(pool: Any) -> bool:
    labels = {**pool["metadata"]["labels"], "strimzi.io/pool-name": pool["metadata"]["name"]}
    told = pool["spec"].get("template", {}).get("pod", {}).get("affinity", {}).get("podAntiAffinity", {})
    return any(
        rule["topologyKey"] == "kubernetes.io/hostname" and selects(rule["labelSelector"], labels)
        for rule in told.get("requiredDuringSchedulingIgnoredDuringExecution", [])
    )


def _of_postgres(spec: Any) -> Iterator[str]:
    synchronous, affinity = spec["postgresql"].get("synchronous", {}), spec.get("affinity", {})
    if (affinity.get("podAntiAffinityType"), affinity.get("topologyKey")) != ("required", "kubernetes.io/hostname"):
        yield "two Postgres may be on one node"
    if spec["instances"] != COPIES:
        yield f"Postgres has {spec['instances']} instances, not {COPIES}"
    if synchronous.get("number") != 1 or synchronous.get("dataDurability") != "required":
        yield "a commit may be answered that one Postgres alone has"
    if "barmanObjectStore" not in spec.get("backup", {}):
        yield "the WAL of Postgres is archived nowhere"
