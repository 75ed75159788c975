"""The caller of the RPC under way: a customer, an operator, a service, or anybody where callers are not asked."""

import math
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a token makes of its bearer; the names stand in tokens as they stand here."""

    CUSTOMER = "customer"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in. `customer_id` is whose orders a customer sees; others have none.

    `expires_at` (Unix seconds) is when the token ends; a stream should not outlive it.
    """

    role: Role
    subject: str
    customer_id: str = ""
    expires_at: float = field(default=math.inf, compare=False)

    @property
    def actor(self) -> str:
        """Who did it, as timeline and audit say: `customer:anna`, `operator:…`, `service:…`, or plain `client`.

        It names a customer: whoever forgets one must look where it was written down.
        """
        return f"{self.role.value}:{self.customer_id or self.subject}" if self.subject else "client"

    @property
    def is_customer(self) -> bool:
        """Whether they see only what is theirs."""
        return self.role is Role.CUSTOMER

    def may_see(self, customer_id: str) -> bool:
        """Whether what belongs to this customer exists for the caller (P13)."""
        return not self.is_customer or (bool(customer_id) and customer_id == self.customer_id)


ANYBODY: Final = Caller(Role.OPERATOR, "")
"""Who calls where AUTH is off: may do everything, and is named `client`. A verified token always has a subject."""

NOBODY: Final = Caller(Role.CUSTOMER, "nobody")
"""Who calls without a token where the call itself needs none: a customer whom no order belongs to."""

current: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)
"""Set by the edges (the gRPC interceptor, the gateway) for each request while AUTH is on; threads do not see it."""
