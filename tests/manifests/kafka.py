"""Whether everybody speaks to Kafka as its listener asks, as a user of its own, who may do what the code does."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from chassis.topics import TOPICS
from deploy.kubernetes import secrets
from tests.manifests.groups import consumer_groups, topics_read, topics_written
from tests.manifests.workloads import Manifests, SecretFile, Workload, variables

ADDRESS: Final = "KAFKA_BOOTSTRAP_SERVERS"
FILES: Final = {
    "KAFKA_TLS_CA_FILE": "ca.crt",
    "KAFKA_TLS_CERT_FILE": "user.crt",
    "KAFKA_TLS_KEY_FILE": "user.key",
}
KEDA: Final = "keda-kafka"


class Right(NamedTuple):
    """One thing that a user may do with one thing."""

    kind: str
    name: str
    operation: str


def complaints(manifests: Manifests) -> Iterator[str]:
    """A sentence for each way in that is open, each process that does not fit it, each right too many or too few."""
    yield from _of_listeners(manifests)
    for workload in manifests.ours:
        if workload.package != "gateway" and not workload.name.startswith("migrate-"):
            yield from (f"{workload}: {sentence}" for sentence in _of_process(workload, manifests))
    yield from _of_rights(manifests)
    yield from _of_triggers(manifests)


def _of_listeners(manifests: Manifests) -> Iterator[str]:
    for kafka in manifests.of("Kafka"):
        for listener in kafka["spec"]["kafka"]["listeners"]:
            if not listener["tls"] or listener.get("authentication", {}).get("type") != "tls":
                yield f"the listener {listener['name']} of Kafka asks nobody for a certificate"
        if kafka["spec"]["kafka"].get("authorization", {}).get("type") != "simple":
            yield "every user of Kafka may do everything"
        if "userOperator" not in kafka["spec"]["entityOperator"]:
            yield "nobody makes the users of Kafka"


def _of_process(workload: Workload, manifests: Manifests) -> Iterator[str]:
    told = {variable.name: variable.value for variable in variables(workload, manifests)}
    if told.get("KAFKA_SECURITY_PROTOCOL") != "SSL":
        yield "does not speak to Kafka by TLS with a certificate (KAFKA_SECURITY_PROTOCOL)"
    user = f"{workload.name if workload.kind == 'Job' else workload.name.rpartition('-')[0]}-kafka"
    for name, key in FILES.items():
        file = told.get(name)
        secret = secrets.KAFKA_AUTHORITY if key == "ca.crt" else user
        if not isinstance(file, SecretFile) or (file.content.secret, file.content.key) != (secret, key):
            yield f"{name} is not {key} of the secret {secret}"


def _of_rights(manifests: Manifests) -> Iterator[str]:
    there = {user["metadata"]["name"]: user for user in manifests.of("KafkaUser")}
    wanted = dict(needed())
    if not manifests.of("ScaledObject"):
        del wanted[KEDA]
    yield from (f"nobody is the user {name} of Kafka" for name in sorted(set(there) - set(wanted)))
    yield from (f"Kafka has no user {name}" for name in sorted(set(wanted) - set(there)))
    for name in sorted(set(there) & set(wanted)):
        given = set(_rights(there[name]))
        yield from (f"{name} may {_said(right)}, and need not" for right in sorted(given - wanted[name]))
        yield from (f"{name} may not {_said(right)}, and has to" for right in sorted(wanted[name] - given))
        if there[name]["spec"]["authentication"]["type"] != "tls":
            yield f"{name} has no certificate"


def needed() -> Iterator[tuple[str, set[Right]]]:
    """Of each user: what the code does with Kafka."""
    groups, read, written = consumer_groups(), topics_read(), topics_written()
    for context in groups:
        yield (
            f"{context}-kafka",
            {
                *(Right("topic", topic, operation) for topic in read[context] for operation in ("Read", "Describe")),
                *(
                    Right("topic", topic, operation)
                    for topic in written[context]
                    for operation in ("Write", "Describe")
                ),
                *(Right("group", group, "Read") for group in groups[context]),
            },
        )
    topics = {topic.name for topic in TOPICS}
    yield "topics-kafka", {Right("topic", topic, operation) for topic in topics for operation in ("Describe", "Create")}
    yield (
        KEDA,
        {
            *(Right("topic", topic, "Describe") for topics in read.values() for topic in topics),
            *(Right("group", group, "Describe") for names in groups.values() for group in names),
        },
    )


def _rights(user: Any) -> Iterator[Right]:
    for rule in user["spec"]["authorization"]["acls"]:
        resource = rule["resource"]
        name = resource["name"] + ("" if resource.get("patternType", "literal") == "literal" else "*")
        yield from (Right(resource["type"], name, operation) for operation in rule["operations"])


def _said(right: Right) -> str:
    return f"{right.operation} the {right.kind} {right.name}"


def _of_triggers(manifests: Manifests) -> Iterator[str]:
    known = {found["metadata"]["name"]: found["spec"] for found in manifests.of("TriggerAuthentication")}
    for scaled in manifests.of("ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            shown = known.get(trigger.get("authenticationRef", {}).get("name"), {}).get("secretTargetRef", [])
            told = {(entry["parameter"], entry["name"], entry["key"]) for entry in shown}
            wanted = {("ca", secrets.KAFKA_AUTHORITY, "ca.crt"), ("cert", KEDA, "user.crt"), ("key", KEDA, "user.key")}
            if told != wanted or trigger["metadata"].get("tls") != "enable":
                yield f"ScaledObject/{scaled['metadata']['name']} does not ask Kafka as {KEDA}, by TLS"
            if not _OLDEST <= _version(trigger["metadata"].get("version", _BY_ITSELF)) <= _newest(manifests):
                yield f"ScaledObject/{scaled['metadata']['name']} does not ask Kafka in words of its version"


_BY_ITSELF: Final = "1.0.0"
"""What KEDA takes where it is told none."""
_OLDEST: Final = (2, 1, 0)
"""Whose requests Kafka 4 still answers."""


def _newest(manifests: Manifests) -> tuple[int, ...]:
    return max(_version(kafka["spec"]["kafka"]["version"]) for kafka in manifests.of("Kafka"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
