"""The ways in which the rules of catalogue and stock say no."""

from chassis.errors import Refusal, ValidationFailed


class CurrencyMismatch(Refusal):
    """A price in another currency than the installation's."""

    code = "currency_mismatch"
    status = "INVALID_ARGUMENT"


class IdempotencyKeyReused(Refusal):
    """The same key with other content: one of the two would be lost."""

    code = "idempotency_key_reused"
    status = "FAILED_PRECONDITION"


class StockIsReserved(Refusal):
    """An adjustment would take what is held for somebody."""

    code = "stock_reserved"
    status = "ABORTED"


class StockHasChanged(Refusal):
    """An adjustment was made for another number of pieces than is on the shelf."""

    code = "stock_changed"
    status = "ABORTED"


class StockInsufficient(Refusal):
    """Less is available than was asked for; nothing is held."""

    code = "insufficient_stock"
    status = "ABORTED"


class UnknownSku(Refusal):
    """A line names a product that the catalogue does not have."""

    code = "unknown_sku"
    status = "FAILED_PRECONDITION"


class ReservationNotHeld(Refusal):
    """A reservation that holds nothing any more can be neither sold nor given back."""

    code = "reservation_not_held"
    status = "FAILED_PRECONDITION"


def wrong_field(name: str, sentence: str) -> ValidationFailed:
    """The refusal of one field of a request."""
    return ValidationFailed("the request is not valid", fields={name: [sentence]})
