"""`python -m deploy.local run|start|stop|status|scale|roll|logs|clean`: the whole system on this machine."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from deploy.local import background, control, foreground
from deploy.local.cleaning import clean
from deploy.local.environment_file import settings_in
from deploy.local.instances import counts_in
from deploy.local.log_view import logs
from deploy.local.place import PROJECT, Place, place_from
from deploy.local.refusals import CannotStart
from deploy.local.report import status
from deploy.local.stack import Stack
from deploy.local.welcome import load_and_show, named_orders, show_where_to_look


def main(words: Sequence[str]) -> int:
    arguments = parser().parse_args(words)
    try:
        for name, value in settings_in(PROJECT / ".env").items():
            os.environ.setdefault(name, value)
        return verb(arguments, place_from(os.environ))
    except CannotStart as sentence:
        print(sentence, file=sys.stderr)
        return 1


def verb(arguments: argparse.Namespace, place: Place) -> int:
    match arguments.verb:
        case "run" if arguments.in_background:
            return foreground.run(place, leave_alone)
        case "run":
            return foreground.run(place, partial(load_and_show, named_orders(arguments.orders)))
        case "start":
            return background.start(place)
        case "stop":
            return background.stop(place)
        case "status":
            return status(place.as_last_started())
        case "scale":
            return control.scale(place, counts_in(",".join(arguments.counts) or os.environ.get("INSTANCES", "")))
        case "roll":
            return control.roll(place, arguments.names)
        case "logs":
            return logs(place, arguments.names, arguments.lines, not arguments.no_follow)
        case _:
            return clean(place)


def leave_alone(stack: Stack) -> None:
    show_where_to_look(stack)
    background.detach()


def parser() -> argparse.ArgumentParser:
    told = "The whole system on this machine, without containers."
    settings = (
        "PORT_OFFSET and STATE_DIR move it; DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS and REDIS_URL replace parts;"
        " SIMULATORS=http plays the parties outside in processes of their own;"
        " INSTANCES=order_service=2,gateway=2 starts several."
    )
    top = argparse.ArgumentParser("python -m deploy.local", description=told, epilog=settings)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="run|start|stop|status|scale|roll|logs|clean")
    run = verbs.add_parser("run", help="everything in the foreground, with a month of orders on first start")
    run.add_argument("--orders", metavar="FILE", help="load these orders instead of the sample month (also: ORDERS)")
    run.add_argument("--in-background", action="store_true", help=argparse.SUPPRESS)
    verbs.add_parser("start", help="everything in the background, without sample data")
    verbs.add_parser("stop", help="end it, wherever it was started")
    verbs.add_parser("status", help="what runs, and whether it answers (0 when all of it does)")
    add_scaling(verbs)
    view = verbs.add_parser("logs", help="what all of it says, or only the processes named")
    view.add_argument("names", nargs="*", metavar="NAME")
    view.add_argument("--lines", type=int, default=10, help="how many of each to begin with (10)")
    view.add_argument("--no-follow", action="store_true", help="show what is there and return")
    verbs.add_parser("clean", help="remove the state folder: database, topics, logs, passwords")
    return top


def add_scaling(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """What changes a stack that runs."""
    told = (
        "So many instances of a service, or of one of its roles: `scale order_service=2 gateway=2` makes two of each,"
        " `scale order_service:worker=2` runs the role worker in two processes of its own (so can relay and jobs),"
        " `order_service:worker=0` puts it back. What is not named stays as it is. Callers are told of new addresses by"
        " being succeeded, as with `roll`."
    )
    scale = verbs.add_parser("scale", help="more or fewer instances, while it runs", description=told)
    scale.add_argument("counts", nargs="*", metavar="NAME=NUMBER", help="default: what INSTANCES says")
    told = (
        "Each process is succeeded by a new one, one after the other: the new one listens at the same ports before the"
        " old one stops to, so that nobody finds the door closed."
    )
    roll = verbs.add_parser("roll", help="a rolling restart, while it runs", description=told)
    roll.add_argument("names", nargs="*", metavar="NAME", help="services or instances; default: all of them")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
