"""Forgetting customers: what is gone, what stays, and what may happen at the same time."""

from collections.abc import Iterator

import pytest

from chassis.access.caller import Caller, Role
from deploy.local import Infrastructure
from order_service.commands import Placed
from order_service.domain import CustomerBeingForgotten, IdempotencyKeyReused
from order_service.privacy import commands, queries
from order_service.privacy.domain import Forgetting
from order_service.privacy.jobs import Forgetter
from tests.services.order_service.import_months import Importing, a_file, a_line
from tests.services.order_service.refunding import a_refund
from tests.services.order_service.reporting import Office
from tests.services.order_service.saga_facts import captured, rejected, reserved
from tests.services.order_service.shop import Shop, a_command, shown_of
from tests.waiting import until

ANNA = Caller(Role.CUSTOMER, "sub-anna", "anna").actor
TABLES = (
    "orders",
    "timeline",
    "refunds",
    "forgotten",
    "audit",
    "report_customers",
    "report_changes",
    "import_orders",
    "import_rows",
)

LAST_STEP = "SELECT * FROM timeline WHERE order_id = CAST(:id AS uuid) ORDER BY version DESC LIMIT 1"


def ask(shop: Shop, customer: str = "anna", actor: str = "operator:boss") -> Forgetting:
    return shop.database.write(lambda connection: commands.ask_to_forget(connection, customer, actor))


def forget(shop: Shop, customer: str = "anna") -> Forgetting:
    """All of it."""
    begun = ask(shop, customer)
    Forgetter(shop.database, orders=2).go_on()
    Forgetter(shop.database, orders=2).go_on()
    return standing(shop, begun.pseudonym)


def wholly_forget(shop: Shop) -> None:
    assert forget(shop).is_over


def standing(shop: Shop, customer: str) -> Forgetting:
    found = shop.database.read(lambda connection: queries.standing(connection, customer))
    assert found is not None
    return found


def where(shop: Shop, words: str) -> list[str]:
    """The tables in which these words stand."""
    return [
        table for table in TABLES if shop.rows(f"SELECT 1 FROM {table} AS it WHERE CAST(it AS text) LIKE '%{words}%'")
    ]


def complete(shop: Shop, *, customer: str = "anna", **more: object) -> str:
    order_id = shop.place(("A", 2), customer=customer, actor=f"customer:{customer}", **more)
    shop.hear(reserved(order_id))
    shop.hear(captured(order_id))
    return order_id


@pytest.fixture
def office(shop: Shop, infrastructure: Infrastructure) -> Iterator[Office]:
    made = Office(shop, infrastructure.redis_url)
    yield made
    made.redis.close()


def test_nothing_that_is_a_customers_own_is_left(shop: Shop) -> None:
    paid = complete(shop, external_ref="Annas basket", metadata={"note": "ring at Annas door"})
    shop.refund(a_refund(paid, amount_minor=10, reason="Annas vase broke: twice"))
    cancelled = shop.place(("A", 1), customer="anna", actor=ANNA)
    shop.cancel(cancelled, reason="Annas mind changed")
    failed = shop.place(("A", 1), customer="anna")
    shop.hear(rejected(failed))
    others = complete(shop, customer="annabel", metadata={"note": "keep"})
    shop.run(
        "UPDATE orders SET previous_status = 'CANCELLING', status = 'CANCELLED' WHERE id = CAST(:id AS uuid)",
        id=cancelled,
    )
    before = {order_id: shop.order(order_id) for order_id in (paid, cancelled, failed)}

    done = forget(shop)

    assert done.is_over
    assert done.orders == 3
    assert where(shop, "Annas") == []
    assert [
        table for table in TABLES if shop.rows(f"SELECT 1 FROM {table} AS it WHERE CAST(it AS text) ~ '\\manna\\M'")
    ] == []
    for order_id, was in before.items():
        now = shop.order(order_id)
        assert (now.customer_id, now.metadata, now.external_ref) == (done.pseudonym, None, None)
        assert (now.status, now.total_minor, now.items) == (was.status, was.total_minor, was.items)
        assert now.version == was.version + 1
        [*_, last] = shop.rows(
            "SELECT * FROM timeline WHERE order_id = CAST(:id AS uuid) ORDER BY version", id=order_id
        )
        assert (last.version, last.actor, last.reason) == (now.version, "operator:boss", "Its customer was forgotten.")
    assert shop.order(others).metadata == {"note": "keep"}
    [noted] = shop.rows("SELECT * FROM audit WHERE action = 'forget_customer'")
    assert (noted.actor, noted.subject, noted.details) == ("operator:boss", done.pseudonym, {})


def test_a_late_retry_finds_its_order_and_makes_no_second_one(shop: Shop) -> None:
    first = a_command("cart-1", ("A", 1), customer="anna")
    order_id = shown_of(shop.ask(first)[0]).standing.id
    shop.hear(rejected(order_id))
    forget(shop)

    again = shop.ask(first._replace(id=a_command().id))[0]
    other = shop.ask(a_command("cart-1", ("A", 7), customer="anna"))[0]

    assert isinstance(again, Placed)
    assert (again.shown.standing.id, again.is_replayed) == (order_id, True)
    assert again.shown.terms.customer_id.startswith("forgotten-")
    assert isinstance(other, IdempotencyKeyReused)
    assert len(shop.rows("SELECT 1 FROM orders")) == 1


def test_who_was_forgotten_may_come_back_and_be_forgotten_again(shop: Shop) -> None:
    shop.hear(rejected(shop.place(("A", 1), customer="anna")))
    first = forget(shop)
    back = shop.place(("A", 1), customer="anna")
    assert shop.order(back).customer_id == "anna"
    shop.hear(rejected(back))

    second = forget(shop)

    assert (second.pseudonym, second.orders) == (first.pseudonym, 2)
    assert len(shop.rows("SELECT 1 FROM audit WHERE action = 'forget_customer'")) == 2


def test_asking_again_changes_nothing(shop: Shop) -> None:
    order_id = shop.place(("A", 1), customer="anna")
    shop.hear(rejected(order_id))
    done = forget(shop)
    version = shop.order(order_id).version

    assert ask(shop) == done
    assert ask(shop, done.pseudonym) == done
    assert forget(shop) == done
    assert shop.order(order_id).version == version
    assert len(shop.rows("SELECT 1 FROM audit")) == 1


def test_an_order_that_has_not_ended_is_forgotten_when_it_has(shop: Shop) -> None:
    running = shop.place(("A", 2), customer="anna")
    shop.hear(reserved(running))
    ended = shop.place(("A", 1), customer="anna")
    shop.hear(rejected(ended))

    waiting = forget(shop)

    assert not waiting.is_over
    assert waiting.orders == 1
    assert shop.order(running).customer_id == "anna", "its saga still needs to know whose it is"
    assert isinstance(shop.ask(a_command("new", customer="anna"))[0], CustomerBeingForgotten)
    shop.hear(captured(running))
    assert forget(shop).is_over
    assert shop.order(running).customer_id == waiting.pseudonym
    assert shop.status(running) == "COMPLETED"


def test_a_retry_while_its_customer_is_being_forgotten_is_told_of_its_order(shop: Shop) -> None:
    first = a_command("cart-1", ("A", 1), customer="anna")
    order_id = shown_of(shop.ask(first)[0]).standing.id
    ask(shop)

    again, neighbour = shop.ask(first._replace(id=a_command().id), a_command("cart-2", customer="ben"))

    assert shown_of(again).standing.id == order_id
    assert not neighbour.is_replayed


def test_a_retry_that_runs_into_the_renaming_makes_no_second_order(shop: Shop, other: Shop) -> None:
    """Without the mark, the retry would wait for the old row, see it gone, and take the key that has become free."""
    first = a_command("cart-1", ("A", 1), customer="anna")
    order_id = shown_of(shop.ask(first)[0]).standing.id
    shop.hear(rejected(order_id))

    with shop.before_statement("INSERT INTO orders", lambda: wholly_forget(other)):
        again = shop.ask(first._replace(id=a_command().id))[0]

    assert shown_of(again).standing.id == order_id
    assert len(shop.rows("SELECT 1 FROM orders")) == 1


def test_forgetting_begins_when_those_who_are_placing_have_ended(shop: Shop, other: Shop) -> None:
    """Who is placing has looked at the database before the mark was there: the renaming must not overtake it."""
    command = a_command("cart-1", ("A", 1), customer="anna")
    with shop.database.begin() as connection:
        [placed] = shop.placing.place_orders(connection, [command])
        begun = other.beside(ask, other)
        assert until(other.is_blocked)
        late = shop.beside(other.ask, a_command("cart-2", customer="anna"))
    assert begun.result(15).orders == 0
    assert isinstance(late.result(15)[0], CustomerBeingForgotten), "it came behind the mark"

    shop.hear(rejected(shown_of(placed).standing.id))
    assert forget(shop).orders == 1


def test_figures_stay_and_bear_the_other_name(shop: Shop, office: Office) -> None:
    complete(shop)
    complete(shop)
    complete(shop, customer="ben")
    office.settle()
    refunded = complete(shop)
    done = forget(shop)
    office.give_back(refunded, amount_minor=100)
    office.settle()

    assert office.wrong() == []
    rows = {row.customer_id: (int(row.spent_minor), row.orders) for row in shop.rows("SELECT * FROM report_customers")}
    assert rows == {done.pseudonym: (3 * 510 - 100, 3), "ben": (510, 1)}
    keys = [key for key in office.redis.keys("*") if b"customers" in key]
    assert keys
    assert all(office.redis.zscore(key, "anna") is None for key in keys)


def test_a_rebuild_at_the_same_time_counts_everybody_once(shop: Shop, office: Office) -> None:
    for _ in range(7):
        complete(shop)
    office.settle()
    office.rebuild()
    office.keeper.go_on()

    forget(shop)
    office.settle()

    assert office.wrong() == []


def test_who_dies_on_the_way_goes_on_where_it_stopped(shop: Shop, other: Shop) -> None:
    for _ in range(5):
        shop.hear(rejected(shop.place(("A", 1), customer="anna")))
    begun = ask(shop)

    shop.database.write(lambda connection: commands.forget_next(connection, begun, 2))
    assert standing(shop, "anna").orders == 2
    assert not shop.database.write(lambda connection: commands.end_forgetting(connection, begun))

    assert forget(other).orders == 5


def test_imports_keep_nobody_who_was_forgotten_and_place_nothing_for_them(shop: Shop) -> None:
    importing = Importing(shop.database)
    import_id = importing.take(a_file(a_line("1", customer="anna"), a_line("2", customer="ben")))
    ask(shop)
    shop_forgets = Forgetter(shop.database)
    shop_forgets.go_on()
    assert not standing(shop, "anna").is_over, "an import that is under way still names her"

    importing.finish(import_id)
    assert [(line, reason) for line, _, reason in importing.rejects(import_id)] == [
        (2, "the customer is being forgotten")
    ]
    Forgetter(shop.database).go_on()

    assert standing(shop, "anna").is_over
    assert where(shop, "anna") == []
    assert [row.customer_id for row in shop.rows("SELECT customer_id FROM orders")] == ["ben"]


def test_an_imported_order_is_not_imported_again_after_its_customer_was_forgotten(shop: Shop) -> None:
    file = a_file(a_line("1", customer="anna"))
    importing = Importing(shop.database)
    importing.finish(importing.take(file))
    assert forget(shop).is_over

    again = importing.finish(importing.take(file))

    assert (again.orders, again.already_imported) == (1, 1)
    assert len(shop.rows("SELECT 1 FROM orders")) == 1
    Forgetter(shop.database).go_on()
