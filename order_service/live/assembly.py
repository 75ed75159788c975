"""The parts of watching, put together."""

from chassis.metrics import gauge
from chassis.run import App
from order_service.live.feed import Tail
from order_service.live.servicer import LiveServicer, Questions


def build_live(app: App, most: int) -> tuple[LiveServicer, Tail]:
    """The face, and the tail that is to be told when something was committed; `most` watches at once."""
    questions = Questions(app.database, app.context)
    app.add_batcher(questions.past)
    app.add_batcher(questions.owners)
    tail = Tail(app.database, app.loop, most)
    gauge(app.context, "watching", "Watches of orders and customers").set_function(lambda: tail.watching)
    return LiveServicer(questions, tail, app.door, app.stopping, app.context), tail
