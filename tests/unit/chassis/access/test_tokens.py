"""Which tokens are believed, and which are not, whoever made them and however."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chassis import clock
from chassis.access.caller import Caller, Role
from chassis.access.claims import ClaimNames
from chassis.access.issuer import Document, IssuerSilent
from chassis.access.keys import Keys
from chassis.access.tokens import LARGEST_TOKEN, Rules, Tokens
from chassis.errors import PermissionDenied, Refusal, Unauthenticated, Unavailable
from tests.issuers import AUDIENCE, ISSUER, SigningKey, claims, unsigned

KEY = SigningKey("now")
NOW = clock.unix_ms() / 1000
RULES = Rules(ISSUER, AUDIENCE, skew=5)


def fetching(*keys: SigningKey) -> Callable[[], Awaitable[Sequence[Document]]]:
    async def fetch() -> Sequence[Document]:
        return [key.document for key in keys]

    return fetch


def caller_of(authorization: str, *keys: SigningKey, rules: Rules = RULES) -> Caller:
    """What becomes of a token at a door that has just been built."""

    async def ask() -> Caller:
        return await Tokens(rules, Keys(fetching(*(keys or (KEY,))))).caller_of(authorization)

    return asyncio.run(ask())


def refused(token: str, *keys: SigningKey) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        caller_of(f"Bearer {token}", *keys)
    assert token[:40] not in refusal.value.message or not token
    return refusal.value.message


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_of_the_issuer_makes_a_caller(algorithm: str) -> None:
    key = SigningKey("k", algorithm)

    assert caller_of(f"Bearer {key.sign(claims())}", key) == Caller(Role.CUSTOMER, "sub-anna", "anna")
    assert caller_of(f"bearer  {key.sign(claims('operator', ''))}", key).actor == "operator:sub-operator"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": NOW - 60}, "expired"),
        ({"nbf": NOW + 600}, "not valid yet"),
        ({"iat": NOW + 600}, "not valid yet"),
        ({"aud": "another-shop"}, "somebody else"),
        ({"aud": []}, "lacks"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"exp": None}, "lacks"),
        ({"aud": None}, "lacks"),
        ({"iss": None}, "lacks"),
        ({"sub": None}, "lacks"),
        ({"exp": "soon"}, "cannot be read"),
        ({"exp": [1]}, "cannot be read"),
        ({"sub": 17}, "cannot be read"),
    ],
)  # fmt: skip
def test_a_token_of_another_time_place_or_purpose_is_refused(changes: Mapping[str, Any], sentence: str) -> None:
    assert sentence in refused(KEY.sign(claims(**changes)))


def test_clocks_may_differ_a_little() -> None:
    now = clock.unix_ms() / 1000

    assert caller_of(f"Bearer {KEY.sign(claims(exp=now - 2, nbf=now + 2, iat=now + 2))}").customer_id == "anna"


def test_a_token_without_a_signature_is_none() -> None:
    for algorithm in ("none", "None", "NONE", "", None, 5, ["EdDSA"]):
        refused(unsigned({"alg": algorithm, "typ": "JWT", "kid": "now"}, claims()))


def test_a_public_key_is_no_secret() -> None:
    """HS256 with the bytes of the public key as the secret, in each form that somebody might take for them."""
    key = SigningKey("k", "RS256")
    public = key.private.public_key()
    forms = (public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), json.dumps(key.document).encode())
    for secret in (*forms, key.document["n"].encode()):
        for name in ("HS256", "RS256"):
            draft = unsigned({"alg": name, "kid": "k"}, claims()).rstrip(".")
            mark = hmac.new(secret, draft.encode(), hashlib.sha256).digest()
            refused(f"{draft}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}", key)


def test_the_key_decides_about_the_algorithm() -> None:
    rsa_key, other = SigningKey("k", "RS256"), SigningKey("k", "ES256")

    assert "not that of its key" in refused(other.sign(claims()), rsa_key)


@pytest.mark.parametrize("key_id", ["", "../../etc/passwd", "now' OR '1'='1", "\x00", "n" * 5000])
def test_a_key_id_is_a_name_and_nothing_else(key_id: str) -> None:
    refused(KEY.sign(claims(), kid=key_id))


def test_a_key_that_the_token_brings_itself_is_not_believed() -> None:
    mine = SigningKey("now")
    refused(mine.sign(claims(), jwk=mine.document))
    refused(mine.sign(claims(), jku="https://evil.example/keys", x5u="https://evil.example/cert"))
    refused(mine.sign(claims(), kid="mine", jwk=mine.document))


def test_a_token_that_was_changed_is_refused() -> None:
    head, _, mark = KEY.sign(claims()).split(".")
    forged = unsigned({}, claims("operator", "")).split(".")[1]
    assert "signature" in refused(f"{head}.{forged}.{mark}")
    assert refused(KEY.sign(claims())[:-4] + "AAAA")


def test_what_must_be_understood_and_is_not_is_refused() -> None:
    refused(KEY.sign(claims(), crit=["b64"], b64=False))


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "...", "a.b.c", "null", "x" * LARGEST_TOKEN, "é.é.é", "\ud800", "a b c",
        base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.e30",
        base64.urlsafe_b64encode(b'{"alg":' * 1_200).decode() + ".e30.e30",
        base64.urlsafe_b64encode(b"[]").decode() + ".e30.e30",
    ],
)  # fmt: skip
def test_nonsense_is_refused(token: str) -> None:
    refused(token)


def test_deep_claims_are_refused() -> None:
    """Signed by the issuer itself, so this is about staying alive."""
    deep = "[" * 3_000 + "]" * 3_000
    body = json.dumps(claims())[:-1] + f', "x": {deep}}}'
    head = unsigned({"alg": "EdDSA", "kid": "now"}, {}).split(".")[0]
    draft = f"{head}.{base64.urlsafe_b64encode(body.encode()).decode().rstrip('=')}"
    mark = base64.urlsafe_b64encode(KEY.private.sign(draft.encode())).decode().rstrip("=")

    refused(f"{draft}.{mark}")


@pytest.mark.parametrize("authorization", ["Basic YW5uYTpwdw==", "Bearer", "token", "Bearerx.y.z"])
def test_another_scheme_is_no_token(authorization: str) -> None:
    with pytest.raises(Unauthenticated):
        caller_of(authorization)


def test_a_token_of_64_kilobytes_is_refused_unread() -> None:
    assert "at most" in refused(KEY.sign(claims(padding="x" * 48_000)))
    assert "at most" in refused("x" * 65_536)


@pytest.mark.parametrize(
    "changes",
    [
        {"realm_access": {"roles": ["admin", "Operator", "root"]}},
        {"realm_access": None},
        {"realm_access": "operator"},
        {"realm_access": {"roles": {"operator": True}}},
        {"customer_id": None},
        {"customer_id": "  "},
        {"customer_id": ["anna"]},
        {"customer_id": "an\x00na"},
        {"customer_id": "a" * 256},
    ],
)
def test_a_token_that_makes_its_bearer_nobody_in_particular_may_do_nothing(changes: Mapping[str, Any]) -> None:
    with pytest.raises(PermissionDenied):
        caller_of(f"Bearer {KEY.sign(claims(**changes))}")


def test_who_has_several_roles_has_the_one_that_may_most() -> None:
    token = KEY.sign(claims(realm_access={"roles": ["customer", "operator"]}))

    assert caller_of(f"Bearer {token}").role is Role.OPERATOR


def test_other_issuers_have_other_claims() -> None:
    rules = Rules(ISSUER, AUDIENCE, names=ClaimNames("https://shop.example/roles", "shop.customer.number"))
    theirs: dict[str, Any] = {"https://shop.example/roles": "customer", "shop": {"customer": {"number": "A"}}}

    assert caller_of(f"Bearer {KEY.sign(claims(customer_id=None) | theirs)}", rules=rules).customer_id == "A"


def test_a_customer_is_known_in_the_form_in_which_orders_are_placed() -> None:
    token = KEY.sign(claims(customer_id=" Zoe\u0308 "))

    assert caller_of(f"Bearer {token}").customer_id == "Zo\u00eb"


def test_a_weak_key_is_no_key() -> None:
    weak = SigningKey("weak", "RS256")
    weak.private = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    token = SigningKey("weak", "RS256").sign(claims())

    refused(token, weak)


class World:
    """A door with its clock and its issuer."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys_of_issuer = list(keys or (KEY,))
        self.is_away = False
        self.fetches = 0
        self.seconds = 1_000.0
        self.keys = Keys(self._fetch, lambda: self.seconds)
        self.tokens = Tokens(RULES, self.keys, known=3)

    async def _fetch(self) -> Sequence[Document]:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise IssuerSilent("connection refused")
        return [key.document for key in self.keys_of_issuer]

    async def ask(self, token: str) -> Caller | Refusal:
        """The caller, or why there is none."""
        try:
            return await self.tokens.caller_of(f"Bearer {token}")
        except Refusal as refusal:
            return refusal

    async def rest(self) -> None:
        """Lets what runs beside the work come to its end."""
        for _ in range(10):
            await asyncio.sleep(0)


def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    async def play() -> None:
        world, new = World(), SigningKey("new")
        assert isinstance(await world.ask(KEY.sign(claims())), Caller)
        world.keys_of_issuer.append(new)
        world.seconds += 6
        assert isinstance(await world.ask(new.sign(claims())), Caller)
        assert world.fetches == 2

    asyncio.run(play())


def test_made_up_key_ids_do_not_make_us_ask_more_than_every_five_seconds() -> None:
    async def play() -> None:
        world = World()
        await world.ask(KEY.sign(claims()))
        for second in range(60):
            answers = await asyncio.gather(
                *(world.ask(KEY.sign(claims(), kid=f"made-up-{second}-{each}")) for each in range(20))
            )
            assert all(isinstance(answer, Unauthenticated) for answer in answers)
            world.seconds += 1
        assert world.fetches <= 13

    asyncio.run(play())


def test_those_who_come_at_one_time_share_one_fetch() -> None:
    async def play() -> None:
        world = World()
        answers = await asyncio.gather(*(world.ask(KEY.sign(claims(customer=f"c-{each}"))) for each in range(50)))
        assert all(isinstance(answer, Caller) for answer in answers)
        assert world.fetches == 1

    asyncio.run(play())


def test_a_withdrawn_key_is_not_believed_any_longer_not_even_about_tokens_that_were() -> None:
    async def play() -> None:
        world, token = World(), KEY.sign(claims())
        assert isinstance(await world.ask(token), Caller)
        world.keys_of_issuer = [SigningKey("new")]
        world.seconds += 301
        await world.ask(token)  # begins the fetch that finds out
        await world.rest()
        assert isinstance(await world.ask(token), Unauthenticated)

    asyncio.run(play())


def test_a_key_replaced_under_its_old_id_counts_as_withdrawn() -> None:
    async def play() -> None:
        world, token = World(), KEY.sign(claims())
        await world.ask(token)
        world.keys_of_issuer = [SigningKey("now")]
        world.seconds += 301
        await world.ask(token)
        await world.rest()
        assert isinstance(await world.ask(token), Unauthenticated)

    asyncio.run(play())


def test_without_a_word_from_the_issuer_nobody_is_called_a_liar() -> None:
    async def play() -> None:
        world = World()
        world.is_away = True
        assert isinstance(await world.ask(KEY.sign(claims())), Unavailable)
        assert isinstance(await world.ask(KEY.sign(claims())), Unavailable)
        assert world.fetches == 1
        world.is_away = False
        world.seconds += 6
        assert isinstance(await world.ask(KEY.sign(claims())), Caller)

    asyncio.run(play())


def test_while_the_issuer_is_away_its_keys_are_kept_for_an_hour() -> None:
    async def play() -> None:
        world = World()
        await world.ask(KEY.sign(claims()))
        world.is_away = True
        world.seconds += 3_500
        assert isinstance(await world.ask(KEY.sign(claims(customer="ben"))), Caller)
        await world.rest()
        assert isinstance(await world.ask(KEY.sign(claims(), kid="unknown")), Unavailable)
        world.seconds += 200
        assert isinstance(await world.ask(KEY.sign(claims(customer="cleo"))), Unavailable)

    asyncio.run(play())


class CountedKeys(Keys):
    """Counts how often a key was asked for: once for each token that is verified."""

    asked = 0

    async def key_of(self, key_id: str) -> jwt.PyJWK:
        self.asked += 1
        return await super().key_of(key_id)


def test_a_token_is_verified_once_and_forgotten_when_it_expires() -> None:
    async def play() -> None:
        world = World()
        keys = CountedKeys(fetching(KEY))
        world.tokens = Tokens(RULES, keys, now=lambda: NOW + world.seconds - 1_000)
        token = KEY.sign(claims(exp=NOW + 3_600))
        for _ in range(50):
            assert isinstance(await world.ask(token), Caller)
        assert keys.asked == 1
        world.seconds += 3_606
        await world.ask(token)
        assert keys.asked == 2

    asyncio.run(play())


def test_the_memory_of_tokens_is_bounded() -> None:
    async def play() -> None:
        world = World()
        for each in range(20):
            assert isinstance(await world.ask(KEY.sign(claims(customer=f"c-{each}"))), Caller)
        assert len(world.tokens._known) == 3

    asyncio.run(play())
