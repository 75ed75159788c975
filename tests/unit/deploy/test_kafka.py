"""The settings that Kafka is started with."""

from pathlib import Path

from deploy.local.kafka import Kafka, new_cluster_id
from deploy.local.place import Place


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    ids = [new_cluster_id() for _ in range(500)]

    assert not [cluster for cluster in ids if cluster.startswith("-")]
    assert {len(cluster) for cluster in ids} == {22}


def test_a_moved_stack_listens_on_moved_ports(tmp_path: Path) -> None:
    settings = Kafka(Place(tmp_path, 100), print).settings()

    assert "listeners=BROKER://127.0.0.1:59192,CONTROLLER://127.0.0.1:59193" in settings
    assert "auto.create.topics.enable=false" in settings
