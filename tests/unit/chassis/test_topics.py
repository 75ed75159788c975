"""The table of topics."""

from chassis.topics import TOPICS


def test_facts_are_kept_for_seven_days_and_the_catalogue_for_good() -> None:
    kept = {topic.name: dict(topic.configs) for topic in TOPICS}

    assert kept.pop("inventory.products") == {"cleanup.policy": "compact"}
    assert set(kept) == {
        "orders.events", "inventory.events", "payments.requests", "payments.events",
        "suppliers.requests", "suppliers.events",
    }  # fmt: skip
    assert all(configs["retention.ms"] == "604800000" for configs in kept.values())
    assert all(int(configs["max.message.bytes"]) >= 11_000_000 for configs in kept.values()), (
        "5,000 lines with all names long"
    )
