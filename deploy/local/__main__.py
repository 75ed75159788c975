"""`python -m deploy.local run|start|stop|status|logs|clean`: the whole system on this machine."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from deploy.local import background, foreground
from deploy.local.cleaning import clean
from deploy.local.environment_file import settings_in
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
        " SIMULATORS=http plays the parties outside in processes of their own."
    )
    top = argparse.ArgumentParser("python -m deploy.local", description=told, epilog=settings)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="run|start|stop|status|logs|clean")
    run = verbs.add_parser("run", help="everything in the foreground, with a month of orders on first start")
    run.add_argument("--orders", metavar="FILE", help="load these orders instead of the sample month (also: ORDERS)")
    run.add_argument("--in-background", action="store_true", help=argparse.SUPPRESS)
    verbs.add_parser("start", help="everything in the background, without sample data")
    verbs.add_parser("stop", help="end it, wherever it was started")
    verbs.add_parser("status", help="what runs, and whether it answers (0 when all of it does)")
    view = verbs.add_parser("logs", help="what all of it says, or only the processes named")
    view.add_argument("names", nargs="*", metavar="NAME")
    view.add_argument("--lines", type=int, default=10, help="how many of each to begin with (10)")
    view.add_argument("--no-follow", action="store_true", help="show what is there and return")
    verbs.add_parser("clean", help="remove the state folder: database, topics, logs, passwords")
    return top


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
