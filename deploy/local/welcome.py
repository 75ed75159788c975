"""What the first start ends with: a month of orders, its figures, and where to look."""

import os
import sys
from pathlib import Path

from deploy.local.child import attached
from deploy.local.foreground import tell
from deploy.local.order_days import days_of
from deploy.local.refusals import CannotStart
from deploy.local.services import inherited, scheme_in
from deploy.local.stack import Stack

SAMPLE_ORDERS = "1400"


def named_orders(named: str | None) -> Path | None:
    """The file that `--orders` or ORDERS names. Raises CannotStart when there is none of that name."""
    chosen = named or os.environ.get("ORDERS")
    if not chosen:
        return None
    file = Path(chosen).expanduser()
    if not file.is_file():
        raise CannotStart(f"ORDERS names {file}, and there is no such file.")
    return file.resolve()


def load_and_show(named: Path | None, stack: Stack) -> None:
    """Loads the orders that somebody named, or on first start a sample month."""
    if named is not None or not loaded_mark(stack).exists():
        file = named or sample_month(stack)
        load(stack, file)
        show_figures(stack, file)
        loaded_mark(stack).touch()
    show_where_to_look(stack)


def sample_month(stack: Stack) -> Path:
    sample = stack.place.state / "sample" / "month.csv"
    sample.parent.mkdir(exist_ok=True)
    orderctl(stack, "sample", str(sample), "--orders", SAMPLE_ORDERS)
    return sample


def loaded_mark(stack: Stack) -> Path:
    return stack.place.state / "orders-loaded"


def load(stack: Stack, file: Path) -> None:
    """Products and stock first, then the orders; both may be repeated and then change nothing."""
    orderctl(stack, "catalogue", "from-orders", str(file))
    orderctl(stack, "import", str(file))


def show_figures(stack: Stack, file: Path) -> None:
    """Of the file's last day, and of all its days."""
    days = days_of(file)
    if days is None:
        return
    first, last = days
    tell(f"\nthe figures of {last}")
    orderctl(stack, "kpis", "daily", "--date", last)
    tell(f"\nthe figures from {first} to {last}")
    orderctl(stack, "kpis", "range", "--from", first, "--to", last)


def orderctl(stack: Stack, *words: str) -> None:
    """Runs the project's own command line, at this terminal, against this stack."""
    program = Path(sys.executable).with_name("orderctl")
    token = {"API_TOKEN": stack.issuer.operator_token()} if stack.issuer is not None else {}
    code = attached((str(program), *words), {**inherited(), **stack.environment, **token})
    if code != 0:
        raise CannotStart(f"`orderctl {' '.join(words)}` failed (exit code {code}).")


def show_where_to_look(stack: Stack) -> None:
    rest = f"{scheme_in(os.environ)}://{stack.place.address('rest')}"
    tell(f"""
  dashboard   {rest}/
  REST        {rest}/api/v1/orders      reference {rest}/docs
  gRPC        orders {stack.place.address("orders")}, inventory, suppliers, payments on the next three ports
  logs        {stack.place.logs}          state {stack.place.state}
""")
    if stack.issuer is not None:
        tell("  tokens      orderctl token --customer anna, or --role operator, or --role service\n")
