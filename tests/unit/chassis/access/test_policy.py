"""Who may call a method, as its descriptor says; whom it does not name, it refuses."""

import pytest

from chassis.access.caller import ANYBODY, NOBODY, Caller, Role
from chassis.access.policy import NOBODY_MAY, policy_named
from chassis.errors import PermissionDenied
from protos.inventory.v1 import inventory_pb2
from protos.orders.v1 import orders_pb2
from protos.payments.v1 import payments_pb2
from protos.suppliers.v1 import suppliers_pb2

SERVED = (inventory_pb2, orders_pb2, payments_pb2, suppliers_pb2)
"""Imported as by a server of theirs: then their methods are known by name."""

ANNA = Caller(Role.CUSTOMER, "sub-anna", "anna")
BOSS = Caller(Role.OPERATOR, "boss")
SHOP = Caller(Role.SERVICE, "shop")


def test_a_method_names_the_roles_that_may_call_it() -> None:
    policy = policy_named("/inventory.v1.InventoryService/ReserveStock")

    policy.admit(SHOP)
    policy.admit(BOSS)
    with pytest.raises(PermissionDenied, match="customer"):
        policy.admit(ANNA)


@pytest.mark.parametrize("name", ["/orders.v1.OrderService/NoSuchMethod", "/no.such/Thing", "", "/"])
def test_a_method_without_a_word_about_access_is_refused_to_everybody(name: str) -> None:
    policy = policy_named(name)

    assert policy == NOBODY_MAY
    for caller in (ANNA, BOSS, SHOP):
        with pytest.raises(PermissionDenied):
            policy.admit(caller)


def test_only_signed_webhooks_ask_nobody_who_they_are() -> None:
    assert policy_named("/suppliers.v1.SupplierService/ReceiveWebhook").is_open
    assert policy_named("/payments.v1.PaymentService/ReceiveProviderWebhook").is_open
    assert not policy_named("/orders.v1.OrderService/GetOrder").is_open


def test_a_customer_sees_what_is_theirs_and_nobody_sees_anything() -> None:
    assert ANNA.may_see("anna")
    assert not ANNA.may_see("ben")
    assert not NOBODY.may_see("")
    assert not NOBODY.may_see("anna")
    assert all(caller.may_see("anna") for caller in (BOSS, SHOP, ANYBODY))


def test_timeline_and_audit_name_who_did_it() -> None:
    assert [caller.actor for caller in (ANNA, BOSS, SHOP, ANYBODY)] == [
        "customer:anna", "operator:boss", "service:shop", "client",
    ]  # fmt: skip
