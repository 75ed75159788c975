"""The ways in which orders says no."""

from chassis.errors import NotFound, Refusal


class OrderNotFound(NotFound):
    """There is no such order, or not for this caller."""


class UnknownSku(Refusal):
    """No product has this number."""

    code = "unknown_sku"
    status = "INVALID_ARGUMENT"


class ProductInactive(Refusal):
    """The product was withdrawn; running orders go on."""

    code = "product_inactive"
    status = "INVALID_ARGUMENT"


class CurrencyMismatch(Refusal):
    """An installation has one currency."""

    code = "currency_mismatch"
    status = "INVALID_ARGUMENT"


class PriceChanged(Refusal):
    """The total is not the one that the client expected."""

    code = "price_changed"


class IdempotencyKeyReused(Refusal):
    """The key stands for another request."""

    code = "idempotency_key_reused"


class InsufficientStock(Refusal):
    """The order was stored, and failed because its stock is not there."""

    code = "insufficient_stock"
    status = "ABORTED"


class CustomerBeingForgotten(Refusal):
    """What is under the customer's name is being forgotten; nothing new is put there until that is done."""

    code = "customer_being_forgotten"
    status = "ABORTED"


class OrderNotCancellable(Refusal):
    """It has ended, or is about to."""

    code = "order_not_cancellable"


class OrderNotRefundable(Refusal):
    """There is no money of it that could be given back."""

    code = "order_not_refundable"


class RefundExceedsPayment(Refusal):
    """More is asked back than is left."""

    code = "refund_exceeds_payment"


class OrderNotResumable(Refusal):
    """It has ended: there is nothing it waits for."""

    code = "order_not_resumable"


class IllegalTransition(Exception):
    """A step that the table of states does not have: a bug, never a client's fault."""


class Contradiction(Exception):
    """Another context tells what cannot be: parked for somebody to look at, never swallowed."""
