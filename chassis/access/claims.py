"""What the claims of a token, once it is verified, make of its bearer."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chassis.access.caller import Caller, Role
from chassis.errors import PermissionDenied

_MOST_FIRST: Final = (Role.OPERATOR, Role.SERVICE, Role.CUSTOMER)
_LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where in a token roles and the customer stand; dots lead into objects, as `realm_access.roles` does."""

    roles: str = "realm_access.roles"
    customer: str = "customer_id"


def caller_from(claims: Mapping[str, Any], names: ClaimNames) -> Caller:
    """The caller; who has several of our roles has the one that may most.

    Raises PermissionDenied for a bearer without a role of ours, and for a customer who is no particular customer.
    """
    given = _listed(_found(claims, names.roles))
    role = next((role for role in _MOST_FIRST if role.value in given), None)
    if role is None:
        raise PermissionDenied("the token gives none of the roles customer, operator, service")
    subject, until = _clean(claims.get("sub")), float(claims["exp"])
    if not subject:
        raise PermissionDenied("the token does not say whose it is")
    if role is not Role.CUSTOMER:
        return Caller(role, subject, expires_at=until)
    customer_id = _clean(_found(claims, names.customer))
    if not customer_id:
        raise PermissionDenied(f"the token's claim {names.customer} names no customer")
    return Caller(role, subject, customer_id, expires_at=until)


def _found(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that very name (some issuers use URLs), or what the dots lead to."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return value.split()
    return value if isinstance(value, list) else ()


def _clean(value: Any) -> str:
    """As a customer id is normalised when an order is placed; nothing for what could not be one."""
    if not isinstance(value, str):
        return ""
    text = unicodedata.normalize("NFC", value).strip()
    is_plain = len(text) <= _LONGEST and not any(unicodedata.category(sign) == "Cc" for sign in text)
    return text if is_plain else ""
