"""Which roles may call a method: read from its descriptor, where `options.v1.access` says so. Who is not named may not.

A method without the option is refused to everybody, operators included: forgetting it must not open anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import descriptor_pool

from chassis.access.caller import Caller, Role
from chassis.errors import PermissionDenied
from protos.options.v1 import options_pb2

_ROLES: Final[Mapping[int, Role]] = {
    options_pb2.ROLE_CUSTOMER: Role.CUSTOMER,
    options_pb2.ROLE_OPERATOR: Role.OPERATOR,
    options_pb2.ROLE_SERVICE: Role.SERVICE,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may call one method.

    `is_open`: nobody is asked who they are. `is_by_entry`: the entries carry the tokens, the call itself needs none.
    """

    roles: frozenset[Role] = frozenset()
    is_open: bool = False
    is_by_entry: bool = False

    def admit(self, caller: Caller) -> None:
        """Raises PermissionDenied when the caller's role is none of these."""
        if caller.role not in self.roles:
            raise PermissionDenied(f"this is not for the role {caller.role.value}")


NOBODY_MAY: Final = Policy()
OPERATORS_MAY: Final = Policy(frozenset({Role.OPERATOR}))


def policy_of(method: Any) -> Policy:
    """The policy that a method's descriptor tells."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.access):
        return NOBODY_MAY
    access = options.Extensions[options_pb2.access]
    roles = frozenset(_ROLES[role] for role in access.roles if role in _ROLES)
    return Policy(roles, access.anyone, access.by_entry)


def policy_named(rpc: str) -> Policy:
    """The policy of `/package.Service/Method`; that of an unknown one is that nobody may."""
    try:
        method: Any = descriptor_pool.Default().FindMethodByName(rpc.strip("/").replace("/", "."))
    except KeyError:
        return NOBODY_MAY
    return policy_of(method)
