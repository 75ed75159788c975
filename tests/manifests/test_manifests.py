"""The manifests are what Kubernetes and the code take, and each check is seen to find a mistake."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import pytest

from deploy.kubernetes.rules import RULES, prometheus_rule, prometheus_rules
from tests.manifests import environment, schemas
from tests.manifests.checking import OVERLAYS, TRACES, complaints, whole
from tests.manifests.kustomize import KUBERNETES, NoKustomize, build, documents, folders
from tests.manifests.planted import OF_TRACES, PLANTED, Check, Plant
from tests.manifests.workloads import Manifests


@pytest.fixture(scope="module")
def overlays() -> Mapping[str, Manifests]:
    try:
        return {name: whole(name) for name in OVERLAYS}
    except NoKustomize as error:
        pytest.skip(str(error))


@pytest.fixture
def production(overlays: Mapping[str, Manifests]) -> Manifests:
    """A copy to plant mistakes in."""
    return deepcopy(overlays["production"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_right(overlays: Mapping[str, Manifests], overlay: str) -> None:
    assert list(complaints(overlays[overlay])) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_with_traces_is_right(overlays: Mapping[str, Manifests], overlay: str) -> None:
    traced = whole(overlay, TRACES)

    assert list(complaints(traced)) == []
    assert len(traced.documents) == len(overlays[overlay].documents) + 1
    assert all("OTLP_ENDPOINT" in settings["data"] for settings in traced.of("ConfigMap"))


@pytest.mark.parametrize(("check", "sentence", "plant"), OF_TRACES, ids=[sentence for _, sentence, _ in OF_TRACES])
def test_a_mistake_about_traces_is_found(
    overlays: Mapping[str, Manifests], check: Check, sentence: str, plant: Plant
) -> None:
    traced = whole("production", TRACES)
    assert "OTLP_ENDPOINT" not in str(overlays["production"].documents)
    plant(traced)

    assert any(sentence in said for said in check(traced)), list(check(traced))[:5]


def test_custom_resources_have_the_fields_of_their_operators(overlays: Mapping[str, Manifests]) -> None:
    if schemas.unchecked():
        pytest.skip(schemas.unchecked())
    custom = [
        document for overlay in overlays.values() for document in overlay.documents if schemas.is_custom(document)
    ]
    assert {document["kind"] for document in custom} >= {
        "Cluster", "Database", "ScheduledBackup", "Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser",
        "ScaledObject", "TriggerAuthentication", "ServiceMonitor", "PodMonitor",
    }  # fmt: skip
    for document in custom:
        changed = {**document, "spec": {**document["spec"], "sepc": {}}}
        assert any("sepc" in sentence for sentence in schemas.complaints(changed)), document["kind"]


def test_every_secret_that_is_asked_for_is_read(overlays: Mapping[str, Manifests]) -> None:
    assert environment.unused_secrets(*overlays.values()) == []
    assert "providers" in environment.unused_secrets(overlays["small"])


def test_every_folder_of_the_overlays_is_built() -> None:
    built = {folder.relative_to(KUBERNETES / "overlays") for folder in folders()}
    there = {
        file.parent.relative_to(KUBERNETES / "overlays") for file in KUBERNETES.glob("overlays/**/kustomization.yaml")
    }
    assert built == there


def test_what_does_not_fit_together_does_not_build(overlays: Mapping[str, Manifests], tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [nothing.yaml]\n")
    with pytest.raises(Exception, match=r"nothing\.yaml"):
        build(tmp_path)


def test_the_rules_of_prometheus_are_those_of_the_monitoring() -> None:
    made = documents(prometheus_rules())
    assert [rule["metadata"]["name"] for rule in made] == [
        f"order-system-{file.stem}" for file in sorted(RULES.glob("*.yml"))
    ]
    for rule, file in zip(made, sorted(RULES.glob("*.yml")), strict=True):
        assert [rule["spec"]] == documents(file.read_text())


def test_a_rule_keeps_its_lines() -> None:
    [rule] = documents(
        prometheus_rule("some", "groups:\n  - name: a\n    rules:\n      - expr: |\n          a\n            or b\n")
    )
    assert rule["spec"]["groups"][0]["rules"][0]["expr"] == "a\n  or b\n"


@pytest.mark.parametrize(("check", "sentence", "plant"), PLANTED, ids=[sentence for _, sentence, _ in PLANTED])
def test_a_mistake_is_found(production: Manifests, check: Check, sentence: str, plant: Plant) -> None:
    plant(production)

    assert any(sentence in said for said in check(production)), list(check(production))[:5]
