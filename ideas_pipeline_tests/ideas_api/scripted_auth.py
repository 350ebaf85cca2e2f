"""A strict auth flow: codes and refresh tokens are valid once, and the header must be exact."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from ideas_pipeline.contract import model
from ideas_pipeline.contract.yaml_file import parse
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received

CLIENT_ID = "client-7"
CLIENT_SECRET = "canary-secret"

_AUTH = """
code: {path: auth/code, fields: {client_id: "{client_id}", client_secret: "{client_secret}"}, auth_code: auth_code}
token:
  path: auth
  fields: {auth_code: "{auth_code}", client_id: "{client_id}", client_secret: "{client_secret}"}
  access_token: [access_token, data.access_token]
  refresh_token: refresh_token
  expires_in: expires_in
refresh:
  path: auth/refresh
  fields: {refresh_token: "{refresh_token}"}
  access_token: access_token
  refresh_token: refresh_token
  expires_in: expires_in
validate: {path: auth/validate, fields: {access_token: "{access_token}"}, valid: valid}
header: {name: Authorization, format: "Bearer {access_token}"}
callback: {parameter: auth_code}
"""


def contract_auth(**changed: dict[str, Any]) -> model.Auth:
    """The vendor's flow; ``code={"path": …}`` changes single lines."""
    whole = parse(_AUTH, Path("auth.yaml")).data
    return model.Auth.model_validate({name: part | changed.get(name, {}) for name, part in whole.items()})


class ScriptedAuth:
    """Answers a ``ScriptedServer``'s requests. ``instead``: by path, an answer to give before, or None for the usual.

    ``token_uses``: after so many API calls an access token is refused. ``endpoint``: where codes are sent. ``refusal``:
    the answer to an access token that is not valid. ``rotates``: whether a refresh brings a new refresh token; without
    one, the old one stays valid. ``accepts``: False if every access token is refused.
    """

    def __init__(self, token_uses: int | None = None, expires_in: int | None = 3600, endpoint: str = "") -> None:
        self.token_uses = token_uses
        self.expires_in = expires_in
        self.endpoint = endpoint
        self.secret = CLIENT_SECRET
        self.refusal = Answer(401, {"error": "unauthorized"})
        self.rotates = True
        self.accepts = True
        self.instead: dict[str, Callable[[Received], Answer | None]] = {}
        self.count: Counter[str] = Counter()
        self.issued: list[str] = []
        self._usable: dict[str, int] = {}
        self._codes: set[str] = set()
        self._refresh: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> Answer:
        path = request.path.removeprefix("/v2/")
        with self._lock:
            self.count[path] += 1
            special = self.instead.get(path, lambda _: None)(request)
            if special:
                return special
            sent = request.form or request.query
            match path:
                case "auth/code":
                    return self._code(sent)
                case "auth":
                    return self._token(sent)
                case "auth/refresh":
                    return self._refreshed(sent)
                case "auth/validate":
                    return Answer(body={"valid": sent["access_token"] in self._usable})
            return self._call(request)

    def expire(self) -> None:
        """No access token is valid any more."""
        with self._lock:
            self._usable.clear()

    def _code(self, sent: dict[str, str]) -> Answer:
        if sent != {"client_id": CLIENT_ID, "client_secret": self.secret}:
            return Answer(401, {"error": "invalid_client"})
        code = self._new("code", self._codes)
        if not self.endpoint:
            return Answer(body={"auth_code": code})
        urlopen(f"{self.endpoint}?{urlencode({'auth_code': code})}", timeout=5).close()
        return Answer(body={"sent": True})

    def _token(self, sent: dict[str, str]) -> Answer:
        if sent.get("auth_code") not in self._codes or sent.get("client_secret") != self.secret:
            return Answer(400, {"error": "invalid_grant"})
        self._codes.discard(sent["auth_code"])
        return self._pair()

    def _refreshed(self, sent: dict[str, str]) -> Answer:
        if sent.get("refresh_token") not in self._refresh:
            self.count["refresh refused"] += 1
            return Answer(400, {"error": "invalid_grant"})
        if self.rotates:
            self._refresh.discard(sent["refresh_token"])
        return self._pair(with_refresh_token=self.rotates)

    def _pair(self, *, with_refresh_token: bool = True) -> Answer:
        access = self._new("access", set())
        self._usable[access] = self.token_uses or 10**9
        pair = {"access_token": access}
        if with_refresh_token:
            pair["refresh_token"] = self._new("refresh", self._refresh)
        return Answer(body=pair | ({"expires_in": self.expires_in} if self.expires_in is not None else {}))

    def _call(self, request: Received) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.accepts or self._usable.get(token, 0) < 1:
            return self.refusal
        self._usable[token] -= 1
        self.count["served"] += 1
        return Answer(body={"path": request.path})

    def _new(self, kind: str, known: set[str]) -> str:
        secret = f"canary-{kind}-{len(self.issued)}"
        self.issued.append(secret)
        known.add(secret)
        return secret


def refusing(refusal: Answer) -> ScriptedAuth:
    """An API that states no lifetime of its tokens and refuses an invalid one with ``refusal``."""
    api = ScriptedAuth(expires_in=None)
    api.refusal = refusal
    return api
