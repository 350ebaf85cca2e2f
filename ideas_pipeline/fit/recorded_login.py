"""Work out the login and the header of API calls from recorded or described requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.login_answers import token_places, value_at, value_place
from ideas_pipeline.fit.login_lines import Reasons, propose_request
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.probe import vocabulary

_LITERALS = ("grant_type", "scope", "response_type", "audience")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9]{1,12}) \S+")
# The token, after at most a scheme or the name of a parameter. Other text around it may be secret or personal.
_FORMAT = re.compile(
    r"([A-Za-z][\w-]{0,15} |(token|access[_-]?token|bearer|session|auth|key)[=:] ?)?\{access_token\}", re.IGNORECASE
)
_NO_TOKEN_HEADERS = ("cookie", "accept", "content-type", "user-agent", "origin", "referer", "host", "x-requested-with")


def fit_recorded_login(exchanges: Sequence[Exchange], draft: Draft, credentials: Credentials | None) -> list[str]:
    """Work out the login's requests. Returns the access tokens that were seen, which the header is found by."""
    known: dict[str, str] = {}
    if credentials:
        known |= {credentials.client_id: "{client_id}", credentials.client_secret: "{client_secret}"}
    tokens: list[str] = []
    for exchange in exchanges:
        if not exchange.values or (exchange.status is not None and not exchange.ok) or exchange.states_error:
            continue
        fields = {name: placeholder_of(name, value, known) for name, value in exchange.values.items()}
        has_known_code = any(known.get(str(value)) == "{auth_code}" for value in exchange.values.values())
        route = _route(exchange, fields, has_known_code=has_known_code)
        if route is None:
            continue
        if "@" in exchange.path or not known.keys().isdisjoint(exchange.path.split("/")):
            draft.ask(
                ("auth", route, "path"),
                f"The path of the {route} request in {exchange.source} contains a value of the login, which no "
                "contract can hold. Which path does the API's reference state?",
                urgency=85,
            )
            continue
        places: dict[str, str] = {}
        if exchange.ok and (exchange.body is not None or exchange.text):
            if route == "code" and (place := value_place(exchange, "auth_code")):
                places = {"auth_code": place}
                known[value_at(exchange, place)] = "{auth_code}"
            elif route in ("token", "refresh"):
                places = token_places(exchange)
                for name in ("access_token", "refresh_token"):
                    if name in places:
                        known[value_at(exchange, places[name])] = f"{{{name}}}"
                if "access_token" in places:
                    tokens.append(value_at(exchange, places["access_token"]))
            elif route == "validate" and (place := value_place(exchange, "valid")):
                places = {"valid": place}
        _propose_login(draft, route, exchange, fields, places)
    return tokens


def placeholder_of(name: str, value: Json, known: Mapping[str, str]) -> str | None:
    """The template of a parameter of the login; None if the contract does not know it."""
    if str(value) in known:
        return known[str(value)]
    for index, placeholder in enumerate(("{client_id}", "{client_secret}")):
        if name in {pair[index] for pair in vocabulary.CLIENT_NAMES}:
            return placeholder
    for names, placeholder in (
        (vocabulary.CODE_NAMES, "{auth_code}"),
        (vocabulary.REFRESH_NAMES[:2], "{refresh_token}"),
        (vocabulary.ACCESS_NAMES, "{access_token}"),
    ):
        if name in names:
            return placeholder
    return str(value) if name in _LITERALS and re.fullmatch(r"[\w.:/ -]{1,60}", str(value)) else None


def _route(exchange: Exchange, fields: Mapping[str, str | None], *, has_known_code: bool) -> str | None:
    """The name of a request of the login in the contract, by what it sends. ``code`` alone may be another value."""
    placeholders = set(fields.values())
    if "{refresh_token}" in placeholders:
        return "refresh"
    is_exchange = exchange.method == "POST" and (has_known_code or "grant_type" in fields)
    if "{auth_code}" in placeholders and (is_exchange or "{client_secret}" in placeholders):
        return "token"
    if "{client_secret}" in placeholders:
        return "code"
    words = set(re.split(r"[/_.-]", exchange.path.lower()))
    is_check = bool(words & {"validate", "verify", "check", "introspect", "validation"})
    return "validate" if "{access_token}" in placeholders and is_check else None


def _propose_login(
    draft: Draft, route: str, exchange: Exchange, fields: Mapping[str, str | None], places: Mapping[str, str]
) -> None:
    reason = f"in {exchange.source}"
    sent = {name: text for name, text in fields.items() if text is not None}
    propose_request(draft, route, exchange, sent, places, Reasons(reason, f"the request {reason} has none", reason))
    for name in [name for name, text in fields.items() if text is None]:
        draft.ask(
            ("auth", route, "fields", name),
            f"The {route} request in {exchange.source} has the parameter {name}: what is sent in it?",
            urgency=85,
        )


def fit_recorded_header(exchanges: Sequence[Exchange], draft: Draft, tokens: Sequence[str]) -> None:
    """Find the header that carries the token: by the token itself, else by its name."""
    found: Counter[tuple[str, str]] = Counter()
    sources: dict[tuple[str, str], str] = {}
    for exchange in exchanges:
        for name, value in exchange.headers.items():
            if name.lower() in _NO_TOKEN_HEADERS or name.startswith(":"):
                continue
            form = _form(name, value, tokens)
            if form is not None:
                found[name, form] += 2 if any(token in value for token in tokens) else 1
                sources[name, form] = exchange.source
    if not found:
        return
    # An empty format cannot be written, so it is the last choice.
    name, form = max(found, key=lambda pair: (bool(pair[1]), found[pair]))
    having = [e for e in exchanges if e.headers.get(name)]
    source = sources[name, form]
    at: Steps = ("auth", "header")
    reason = f"in {len(having)} of {len(exchanges)} requests of {source}"
    if form:
        draft.propose(Inferred((*at, "name"), name, reason), Inferred((*at, "format"), form, reason))
        return
    draft.propose(Inferred((*at, "name"), name, reason))
    draft.ask(
        (*at, "format"),
        f"The header {name} in {source} carries the token within other text, which may be secret and is not shown. "
        "What is its format, with {access_token} in place of the token?",
        urgency=98,
    )


def _form(name: str, value: str, tokens: Sequence[str]) -> str | None:
    """The format of a header; empty if it has text beside the token that may be secret, None if it has no token."""
    form = value
    for token in tokens:
        form = form.replace(token, "{access_token}") if token else form
    if "{access_token}" in form:
        return form if _FORMAT.fullmatch(form) else ""
    is_token = re.search(r"auth|token|api[-_]?key|session", name, re.IGNORECASE)
    if not is_token or tokens:
        return None
    scheme = _SCHEME.fullmatch(value.strip())
    if scheme and scheme[1].lower() == "basic":
        return None
    return f"{scheme[1]} {{access_token}}" if scheme else "{access_token}"
