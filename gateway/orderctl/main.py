"""All verbs of `orderctl` put together."""

import click

from gateway.orderctl.catalogue import catalogue
from gateway.orderctl.dead_letters import audit, dead_letters
from gateway.orderctl.import_file import import_file
from gateway.orderctl.imports import imports
from gateway.orderctl.kpis import kpis
from gateway.orderctl.leaderboard import leaderboard, rebuild
from gateway.orderctl.orders import cancel, get, list_orders, place, refund, timeline
from gateway.orderctl.payments import payments
from gateway.orderctl.privacy import forget
from gateway.orderctl.products import products
from gateway.orderctl.sample import sample
from gateway.orderctl.session import Verbs, with_output
from gateway.orderctl.simulate import simulate
from gateway.orderctl.stuck import stuck
from gateway.orderctl.token import token
from gateway.orderctl.watch import watch

EPILOG = """
The services are found at this machine's ports plus PORT_OFFSET, or at ORDERS_ADDRESS, INVENTORY_ADDRESS,
SUPPLIERS_ADDRESS and PAYMENTS_ADDRESS; API_TOKEN is sent where it is set.

Exit codes: 0 done; 1 refused, unfinished, or a service that cannot be reached; 2 a wrong call or an unusable file.
"""


@click.group(
    cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@with_output
def main() -> None:
    """Orders, products, imports and figures of the order system."""


for verb in (
    get,
    list_orders,
    place,
    cancel,
    refund,
    timeline,
    watch,
    payments,
    products,
    catalogue,
    import_file,
    sample,
    imports,
    stuck,
    dead_letters,
    audit,
    forget,
    kpis,
    leaderboard,
    rebuild,
    simulate,
    token,
):
    main.add_command(verb)
