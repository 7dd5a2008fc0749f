"""Traffic in which every secret is a canary: good requests of all types, refused ones, and every kind of dead letter.

What events tell by contract (bodies, queries, messages of decisions that are taken) holds none. Who publishes what
stands here; what is right about it, in the test.
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
from broker.canaries import Canaries
from broker.flows import ROWS, a_submission
from broker.world import CHECKER, MAKER, World

TASK = "IntouchAPITask-Payload"
CAN_MAKE, CAN_CHECK, CAN_RESOLVE = "CanMakeRequest", "CanCheckRequest", "CanResolve"
SENT = {"cookie": "Cookie", "apikey": "X-Api-Key", "session": "X-Session-Token", "client": "X-Client-Secret"}
SENT |= {"sign": "X-Signature"}
DEMANDING = "EARN_BADGE"  # decisions on it must carry the digest
REFUSED = "refused-"  # the beginning of marks that the stand-in says no to
LOST = "lost-"  # done, and the connection cut before the answer

Headers = list[tuple[str, bytes | None]]


class Secretive:
    """Makers and checkers of one world, with tokens of one's own for every record."""

    def __init__(self, world: World, canaries: Canaries, secret: str) -> None:
        self.world, self.canaries, self._secret = world, canaries, secret
        self._kinds = itertools.cycle(ROWS)
        self._key = uuid.uuid4().hex
        world.intouch.behave(body_contains=REFUSED, status=400, body={"errors": [{"code": 1234, "message": "no"}]})
        world.intouch.behave(body_contains=LOST, drop="after", apply=True)

    # -- who speaks

    def token(self, kind: str, user: int, *rights: str, org: int = 0, **more: Any) -> bytes:
        """A good token whose name is a canary; `more` are claims, `key` another secret."""
        secret = more.pop("key", self._secret)
        claims = {"sub": str(user), "orgId": org, "permissions": list(rights), "exp": int(time.time()) + 3600}
        claims |= {"name": self.canaries.new(kind)} | more
        return jwt.encode(claims, secret, algorithm="HS256").encode()

    def maker(self, *, org: int = 0, **claims: Any) -> Headers:
        """The headers of a submission; a stranger among them, as HTTP gateways leave one."""
        token = self.token("maker", MAKER, CAN_MAKE, org=org, **claims)
        stranger = self.canaries.new("stranger").encode()
        return [("X-CAP-UI-AUTH-TOKEN", token), ("Authorization", stranger), *self._org(org)]

    def checker(self, user: int = CHECKER, *rights: str, org: int = 0, **claims: Any) -> Headers:
        """The headers of a decision."""
        token = self.token("checker", user, *(rights or (CAN_CHECK,)), org=org, **claims)
        return [("X-CAP-UI-AUTH-TOKEN", token), *self._org(org)]

    @staticmethod
    def _org(org: int) -> Headers:
        return [("X-CAP-API-AUTH-ORG-ID", str(org).encode())] if org else []

    # -- submissions

    def wish(self, mark: str = "", kind: str | None = None, **task: Any) -> dict[str, Any]:
        """A good submission whose credentials are canaries, with one more where none belongs."""
        new = self.canaries.new
        wish = a_submission(kind or next(self._kinds), self.world.intouch.origin, mark + uuid.uuid4().hex)
        secrets = {name: new(kind) for kind, name in SENT.items()} | {"Authorization": f"Basic {new('password')}"}
        wish["payload"][TASK] |= {"headers": secrets, "apiKey": new("beside")} | task
        wish["credentials"] = {"password": new("beside")}
        return wish

    def submit(self, wish: Any, headers: Headers | None = None) -> None:
        """Publish it, as JSON unless it is bytes already, or nothing."""
        value = wish if isinstance(wish, bytes | None) else json.dumps(wish).encode()
        self.world.publish("requests.submitted", value, self.maker() if headers is None else headers)

    def failing(self) -> Iterator[dict[str, Any]]:
        """Submissions that end in `failed`; what is wrong with them holds a canary."""
        new = self.canaries.new
        yield self.wish(hostname=f"https://user:{new('address')}@elsewhere.test")
        yield self.wish(hostname="https://elsewhere.test")
        yield self.wish(path=f"/internal/?access={new('address')}")
        yield self.wish(method=new("address"))
        yield self.wish(headers={"X-Token": f"a\r\n{new('header')}"})
        yield self.wish(headers={f"{new('header')} x": "illegal"})
        yield self.wish(headers={"Cookie": new("header"), "cookie": new("header")})
        yield self.wish(headers={"Content-Type": new("header")})
        yield self.wish(headers={"X-Token": [new("header")]})
        yield self.wish() | {"entityInfo": None}

    def dead(self) -> Iterator[tuple[str, Any, Headers]]:
        """(reason, value, headers) of submissions that nobody can be told about; all of it is a secret then."""
        plain = json.dumps(self.wish()).encode()
        new = self.canaries.new
        inside = new("dead").encode()
        forged = self.token("forged", MAKER, CAN_MAKE, key="a forged key of more than 32 bytes, fake")
        yield "no-value", None, self.maker()
        yield "not-utf8", b"\xff" + inside + plain, self.maker()
        yield "not-json", b"{" + inside, self.maker()
        yield "ambiguous-json", b'{"a":"%s","a":1}' % inside, self.maker()
        yield "ambiguous-json", b'{"%s":[%s0]}' % (inside, b"0," * 50_000), self.maker()
        yield "not-an-object", b'["%s"]' % inside, self.maker()
        yield "too-large", b'{"a":"%s"}' % (inside * 40_000), self.maker()
        yield "too-large", inside, [*self.maker(), *[(new("header"), None)] * 1_001]
        yield "bad-header", plain, [*self.maker(), ("x-cap-ui-auth-token", inside)]
        yield "bad-header", plain, [*self.maker(), ("X-CAP-REQUEST-ID", inside)]
        yield "bad-header", plain, [*self.maker(), ("X-CAP-API-AUTH-ORG-ID", inside)]
        yield "unknown-type", json.dumps(self.wish() | {"requestType": new("dead")}).encode(), self.maker()
        yield "bad-token", plain, []
        yield "bad-token", plain, [("X-CAP-UI-AUTH-TOKEN", forged)]
        yield "bad-token", plain, [("X-CAP-UI-AUTH-TOKEN", new("forged").encode() * 10_000)]
        yield "bad-token", plain, self.maker(exp=new("forged"))
        yield "bad-token", plain, self.maker(exp=1)
        yield "org-mismatch", plain, [*self.maker(), ("X-CAP-API-AUTH-ORG-ID", b"7")]
        first, second = self.wish(kind="RETRO_TRANSACTION"), self.wish(kind="RETRO_TRANSACTION")
        keyed: Headers = [("Idempotency-Key", new("key").encode())]
        self.submit(first, [*self.maker(), *keyed])
        yield "idempotency-conflict", second, [*self.maker(), *keyed]

    # -- decisions

    def decide(self, event: Any, digest: str, decision: str = "approved", headers: Headers | None = None) -> None:
        """A checker's word on the request of this AdminTask event; a canary stands where nothing belongs."""
        said = self._said(event["data"]["requestId"], decision)
        bound: Headers = [("rw-payload-digest", digest.encode())]
        self._say(said, [*(self.checker() if headers is None else headers), *bound])

    def losing(self, request_id: str, kind: str) -> Iterator[tuple[str, Any, Headers]]:
        """(reason, value, headers) of decisions on a request that waits, none of which counts."""
        said, new = self._said(request_id), self.canaries.new
        resolved = self._said(request_id, "succeeded", "IntouchAPITask")
        other = next(name for name in ROWS if name != kind)
        yield "bad-decision", said | {"actionName": new("dead")}, self.checker()
        yield "bad-decision", self._said(request_id, new("dead")), self.checker()
        yield "not-json", new("dead").encode(), self.checker()
        yield "bad-token", said, [("X-CAP-UI-AUTH-TOKEN", new("forged").encode())]
        yield "org-mismatch", said, [*self.checker(), ("X-CAP-API-AUTH-ORG-ID", b"7")]
        yield "no-right", said, self.checker(CHECKER, CAN_MAKE)
        yield "unknown-request", self._said(str(uuid.uuid1())), self.checker()
        yield "wrong-org", said, self.checker(org=7)
        yield "wrong-type", said | {"requestType": other}, self.checker()
        yield "maker-is-checker", said, self.checker(MAKER)
        yield "out-of-scope", said, self.checker(entities=["another till"])
        yield "digest-mismatch", said, [*self.checker(), ("rw-payload-digest", new("dead").encode())]
        yield "digest-required", said, self.checker()
        yield "not-in-doubt", resolved, self.checker(CHECKER, CAN_RESOLVE)

    def lose(self, rows: Iterator[tuple[str, Any, Headers]]) -> list[str]:
        """Publish these; their reasons."""
        reasons = []
        for reason, said, headers in rows:
            reasons.append(reason)
            self._say(said, headers)
        return reasons

    def bury(self, rows: Iterator[tuple[str, Any, Headers]]) -> list[str]:
        """Publish these submissions; their reasons."""
        reasons = []
        for reason, wish, headers in rows:
            reasons.append(reason)
            self.submit(wish, headers)
        return reasons

    def _say(self, said: Any, headers: Headers) -> None:
        value = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.world.publish("decisions.submitted", value, headers)

    def _said(self, request_id: str, decision: str = "approved", action: str = "AdminTask") -> dict[str, Any]:
        payload = {f"{action}-Payload": {"actionDecision": decision, "actionMessage": "seen"}}
        beside = {"session": self.canaries.new("beside")}
        return {"requestId": request_id, "actionName": action, "payload": payload} | beside
