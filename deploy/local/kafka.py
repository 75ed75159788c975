"""The embedded Kafka: one node, broker and controller in one, on the loopback address."""

import base64
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.answers import kafka_answers
from deploy.local.child import Command
from deploy.local.jars import kafka_jars
from deploy.local.java import find_java
from deploy.local.place import Place, cache_folder

NAME = "kafka"
MEMORY = (
    "-Xms256m",
    "-Xmx256m",
    "-XX:+AlwaysPreTouch",  # it would come to use all of it anyway, hours later: what it takes is seen at once
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
)
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


def new_cluster_id() -> str:
    """A UUID in base64 whose first bit is 0, because the tool takes one that begins with a dash for an option."""
    first, *others = uuid.uuid4().bytes
    return base64.urlsafe_b64encode(bytes([first & 0x7F, *others])).decode().rstrip("=")


class Kafka:
    """One broker of this stack."""

    name = NAME
    ports = (NAME, "kafka controller")

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place, self._say = place, say
        self._folder = place.state / NAME
        self._class_path: Sequence[Path] = ()
        self.address = place.address(NAME)

    def prepare(self) -> None:
        """Has the jars at hand and the settings written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._class_path = kafka_jars(cache_folder(), self._say)
        self._settings_file.write_text("\n".join(self.settings()) + "\n")

    def format_command(self) -> Command | None:
        """Prepares an empty data folder; what an interrupted attempt left is thrown away first."""
        if (self._folder / "formatted").exists():
            return None
        shutil.rmtree(self._data, ignore_errors=True)
        tool = ("kafka.tools.StorageTool", "format", "-t", new_cluster_id(), "-c", str(self._settings_file))
        return self._java("kafka format", "-XX:TieredStopAtLevel=1", *tool)

    def take_format(self) -> None:
        (self._folder / "formatted").touch()

    def settle(self) -> None:
        pass

    def command(self) -> Command:
        return self._java(NAME, *MEMORY, "kafka.Kafka", str(self._settings_file))

    def answers(self) -> bool:
        return kafka_answers(self.address)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _settings_file(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, name: str, *arguments: str) -> Command:
        class_path = ":".join(str(jar) for jar in self._class_path)
        command = (str(find_java()), *LOGGING, "-cp", class_path, *arguments)
        return Command(name, command, self._place.log_of(NAME))

    def settings(self) -> list[str]:
        broker, controller = (self._place.address(NAME), self._place.address("kafka controller"))
        return [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@{controller}",
            f"listeners=BROKER://{broker},CONTROLLER://{controller}",
            f"advertised.listeners=BROKER://{broker},CONTROLLER://{controller}",
            "listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=BROKER",
            f"log.dirs={self._data}",
            "auto.create.topics.enable=false",
            "group.initial.rebalance.delay.ms=0",
            *ONE_NODE,
            *SMALL,
        ]


ONE_NODE = (
    "default.replication.factor=1",
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=3",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "transaction.state.log.num.partitions=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "share.coordinator.state.topic.num.partitions=1",
    "auto.leader.rebalance.enable=false",
    "broker.session.timeout.ms=3000",  # how long a broker that was killed is locked out by its own past
    "broker.heartbeat.interval.ms=1000",
)
SMALL = (
    "num.network.threads=1",
    "num.io.threads=1",
    "background.threads=2",
    "num.recovery.threads.per.data.dir=2",
    "log.segment.bytes=134217728",
    "log.index.size.max.bytes=1048576",
    "log.cleaner.dedupe.buffer.size=16777216",  # the default takes half of our heap
    "metadata.max.idle.interval.ms=0",  # the default writes a no-op record every half second
)
