"""Work out the login: where an auth code and tokens are requested, what is sent, and where the values are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ideas_pipeline.contract.auth import AuthRequest
from ideas_pipeline.contract.types import SendAs
from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.evidence import Exchange, leaves
from ideas_pipeline.fit.login_answers import token_places, value_at, value_place
from ideas_pipeline.fit.login_lines import Reasons, propose_request
from ideas_pipeline.fit.session import LoginRequest, Session
from ideas_pipeline.ideas_api.auth_responses import credentials_error, held
from ideas_pipeline.probe import vocabulary

# After so many refused shapes of one request, the credentials are more likely to be wrong than the shape.
_MOST_SHAPES = 14
_MOST_REFUSED = 6
# An auth code may be valid for one attempt only.
_ATTEMPTS_PER_CODE = 3
_ATTEMPTS_ON_BUSY = 4
_SHAPES_AFTER_DENIAL = 6
_DENIED = (401, 403)
_WAYS: tuple[SendAs, ...] = ("form", "json")


@dataclass
class Tokens:
    """The tokens of a login. They are secrets.

    Attributes:
        access: the access token.
        refresh: the refresh token; empty if there is none.
        answer: the response that contained them.
        places: their paths in it, by their names in the contract.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    answer: Exchange = field(repr=False)
    places: dict[str, str] = field(default_factory=dict)


def fit_login(session: Session, draft: Draft) -> Tokens | None:
    """Log in with the known kinds of requests, and propose those that the API accepts.

    Args:
        session: the live API.
        draft: gets what is found.

    Returns:
        The tokens; None, and a question, if no request or no response was understood.

    Raises:
        AuthenticationError: the API refuses client id and secret, or has none of the known login paths.
    """
    session.say("login: requesting an auth code")
    request, answer = _first_accepted(session, _code_plan(draft), {})
    if request is None:
        _refuse(answer, draft)
        return None
    place = value_place(answer, "auth_code")
    if place is None:
        _ask_place(draft, answer, ("auth", "code", "auth_code"), "the auth code")
        return None
    _propose(draft, "code", request, {"auth_code": place}, answer)
    session.say("login: exchanging the auth code for a token")
    return _exchange(session, draft, request, value_at(answer, place), place)


def fit_renewal(session: Session, draft: Draft, tokens: Tokens) -> None:
    """Work out how a token is refreshed, then how it is validated."""
    if tokens.refresh:
        _fit_refresh(session, draft, tokens)
    else:
        draft.notes.append("the API gives no refresh token, so every expired token requires a login")
    session.say("login: validating the token")
    request, answer = _first_accepted(session, _validate_plan(draft, tokens), {"access_token": tokens.access})
    if request is None:
        draft.ask(
            ("auth", "validate", "path"),
            "No known path validates a token. Which one does the API's reference state?",
            urgency=5,
        )
        return
    place = value_place(answer, "valid")
    _propose(draft, "validate", request, {"valid": place} if place else {}, answer)


def _fit_refresh(session: Session, draft: Draft, tokens: Tokens) -> None:
    """Work out the refresh. Its access token replaces the old one, which may be invalid now."""
    session.say("login: refreshing the token")
    known = {"access_token": tokens.access, "refresh_token": tokens.refresh}
    request, answer = _first_accepted(session, _refresh_plan(draft, tokens), known)
    if request is None:
        draft.ask(
            ("auth", "refresh", "path"),
            "No known path refreshes a token, so every expired token requires a login. "
            "Which path does the API's reference state?",
            urgency=20,
        )
        return
    places = _token_places(draft, "refresh", request, answer, "the new access token")
    if places:
        tokens.access = value_at(answer, places["access_token"])


def _first_accepted(session: Session, plan: _Plan, known: Mapping[str, str]) -> tuple[LoginRequest | None, Exchange]:
    """Send requests until one is accepted: the first shape to each path, and all shapes to a path that exists.

    Args:
        session: the live API.
        plan: the requests to try.
        known: the values of placeholders.

    Returns:
        The accepted request and its response; or None and the most telling refusal.
    """
    telling = Exchange("")
    refused = shapes = attempts = 0
    for path in plan.paths:
        before = attempts
        for fields, send_as in plan.shapes(path):
            request = LoginRequest("GET" if send_as == "query" else "POST", path, send_as, fields)
            values = plan.renewed(attempts) if plan.renewed else known
            answer = session.authenticate(request, values)
            if answer.ok and not answer.states_error:
                return request, answer
            telling = answer if telling.status is None or (telling.is_missing and not answer.is_missing) else telling
            if answer.is_missing:
                break
            attempts += 1
            shapes += 1
            refused += answer.status in _DENIED
            if attempts == 1 and refused:
                # The request is understood, so the credentials are more likely to be wrong than its shape.
                shapes = _MOST_SHAPES - _SHAPES_AFTER_DENIAL
            if refused >= _MOST_REFUSED or shapes >= _MOST_SHAPES:
                return None, telling
            if path in plan.busy and attempts - before >= _ATTEMPTS_ON_BUSY:
                break
    return None, telling


@dataclass(frozen=True)
class _Plan:
    """Requests to try, the most probable first.

    Attributes:
        own: the request in force, which is the first one.
        others: other paths.
        fields: other parameters.
        send_as: how the API sent parameters before.
        busy: paths of other requests of the login. These paths exist, so only a few shapes are sent to them.
        renewed: a function from the number of an attempt to the values of placeholders; None if they stay the same.
    """

    own: AuthRequest
    others: Sequence[str]
    fields: Sequence[Mapping[str, str]]
    send_as: SendAs = "form"
    busy: tuple[str, ...] = ()
    renewed: Callable[[int], Mapping[str, str]] | None = None

    @property
    def paths(self) -> list[str]:
        return list(dict.fromkeys([self.own.path, *self.others]))

    def shapes(self, path: str) -> Iterator[tuple[Mapping[str, str], SendAs]]:
        """Parameters, and how they are sent. On the path in force, those in force come first."""
        found: list[tuple[Mapping[str, str], SendAs]] = []
        if path == self.own.path:
            found.append((self.own.fields, self.own.send_as))
        ways: list[SendAs] = [self.send_as, *(way for way in _WAYS if way != self.send_as)]
        found += [(fields, way) for fields in self.fields[:1] for way in ways]
        found += [(fields, way) for way in ways for fields in self.fields[1:]]
        found.append((self.fields[0], "query"))
        for number, shape in enumerate(found):
            if shape not in found[:number]:
                yield shape


def _code_plan(draft: Draft) -> _Plan:
    shapes = [{one: "{client_id}", two: "{client_secret}"} for one, two in vocabulary.CLIENT_NAMES]
    return _Plan(draft.contract.auth.code, vocabulary.CODE_PATHS, shapes)


def _exchange(session: Session, draft: Draft, code_request: LoginRequest, code: str, place: str) -> Tokens | None:
    """Exchange the auth code. A refused attempt may use it up, so a new code is requested every few attempts."""
    codes = [code]

    def renewed(attempts: int) -> Mapping[str, str]:
        if attempts // _ATTEMPTS_PER_CODE >= len(codes):
            answer = session.authenticate(code_request, {})
            codes.append(value_at(answer, place))
        return {"auth_code": codes[-1]}

    request, answer = _first_accepted(session, _token_plan(draft, code_request, place, renewed), {})
    if request is None:
        draft.ask(
            ("auth", "token", "path"),
            "The API issued an auth code, but none of the known requests exchanges it for an access token. "
            "Which path and parameters does the API's reference state?",
            urgency=100,
        )
        return None
    places = _token_places(draft, "token", request, answer, "the access token")
    if not places:
        return None
    if "refresh_token" not in places:
        draft.ask(
            ("auth", "token", "refresh_token"),
            f"Where is the refresh token? Its place is not known: {held(answer.body, answer.text)}.",
            urgency=10,
        )
    refresh = value_at(answer, places["refresh_token"]) if "refresh_token" in places else ""
    return Tokens(value_at(answer, places["access_token"]), refresh, answer, places)


def _token_places(draft: Draft, route: str, request: LoginRequest, answer: Exchange, what: str) -> dict[str, str]:
    """Find the tokens in a response, and propose its request.

    Args:
        draft: gets what is found.
        route: the request's name in the contract.
        request: the request.
        answer: its response.
        what: what to call the access token in the question that is asked if there is none.

    Returns:
        The places of the tokens; empty without an access token.
    """
    places = token_places(answer)
    if "access_token" not in places:
        _ask_place(draft, answer, ("auth", route, "access_token"), what)
        return {}
    _propose(draft, route, request, places, answer)
    return places


def _token_plan(
    draft: Draft, code_request: LoginRequest, place: str, renewed: Callable[[int], Mapping[str, str]]
) -> _Plan:
    """Requests that may exchange a code: beside its path, sent like its request, and named as in its response."""
    folder = code_request.path.rpartition("/")[0]
    beside = [f"{folder}/{name}" if folder else name for name in ("token", "access_token")]
    client = {name: text for name, text in code_request.fields.items() if text.startswith("{client")}
    names = _names(place, vocabulary.CODE_NAMES)
    shapes = [{name: "{auth_code}"} | client for name in names]
    shapes += [{name: "{auth_code}"} | client | {"grant_type": "authorization_code"} for name in names[:2]]
    shapes += [{name: "{auth_code}"} for name in names[:2]]
    others = [*beside, *vocabulary.TOKEN_PATHS, *([folder] if folder else [])]
    return _Plan(draft.contract.auth.token, others, shapes, code_request.send_as, renewed=renewed)


def _refresh_plan(draft: Draft, tokens: Tokens) -> _Plan:
    auth = draft.contract.auth
    client = {name: text for name, text in auth.token.fields.items() if text.startswith("{client")}
    names = _names(tokens.places.get("refresh_token", ""), vocabulary.REFRESH_NAMES)
    shapes = [{name: "{refresh_token}"} | more for name in names[:2] for more in ({}, client)]
    shapes += [{name: "{refresh_token}"} for name in names[2:]]
    beside = _beside(auth.token.path, auth.code.path, names=("refresh", "refresh_token", "renew"))
    shapes.insert(1, {names[0]: "{refresh_token}"} | client | {"grant_type": "refresh_token"})
    others = [*beside, auth.token.path, *vocabulary.REFRESH_PATHS]
    return _Plan(auth.refresh, others, shapes, auth.token.send_as, (auth.token.path, auth.code.path))


def _validate_plan(draft: Draft, tokens: Tokens) -> _Plan:
    auth = draft.contract.auth
    names = _names(tokens.places.get("access_token", ""), vocabulary.ACCESS_NAMES)
    shapes = [{name: "{access_token}"} for name in names]
    beside = _beside(auth.token.path, auth.code.path, names=("validate", "verify", "check"))
    others = [*beside, *vocabulary.VALIDATE_PATHS]
    return _Plan(auth.validate_, others, shapes, auth.token.send_as, (auth.token.path, auth.code.path))


def _names(place: str, known: Sequence[str]) -> list[str]:
    """The known names of a parameter, first the one that the value has at its place."""
    own = place.rsplit(".", 1)[-1]
    return list(dict.fromkeys([*([own] if own in known else []), *known]))


def _beside(*paths: str, names: Sequence[str]) -> list[str]:
    """Paths with these names beside the paths of the login, and with the first name below them."""
    folders = dict.fromkeys(path.rpartition("/")[0] for path in paths)
    at_root = [path for path in paths if "/" not in path]
    beside = [f"{folder}/{name}".lstrip("/") for name in names for folder in (*folders, *at_root)]
    return beside + [f"{path}/{names[0]}" for path in paths]


def _propose(draft: Draft, route: str, request: LoginRequest, places: Mapping[str, str], answer: Exchange) -> None:
    """Propose a request of the auth flow that the API accepted, and the places of its values."""
    accepted = f"the API accepted it ({answer.status})"
    reasons = Reasons(accepted, "the API accepts the request without it", "seen in 1 of 1 responses")
    propose_request(draft, route, answer, request.fields, places, reasons)


def _ask_place(draft: Draft, answer: Exchange, place: tuple[str, ...], what: str) -> None:
    texts = [path for path, value in leaves(answer.body) if isinstance(value, str)] if answer.body else []
    draft.ask(
        place,
        f"Where is {what}? Its place is not known: {held(answer.body, answer.text)}. If it is in none of them, the API "
        "probably sends it to the API client's endpoint: leave the endpoint field of the API client empty.",
        proposal=texts[0] if texts else None,
        urgency=100,
    )


def _refuse(answer: Exchange, draft: Draft) -> None:
    """Raise the error for refused credentials, or ask for the login's path."""
    if answer.status in _DENIED:
        raise credentials_error(answer.status, worked_before=False)
    draft.ask(
        ("auth", "code", "path"),
        f"None of the known login requests works (the most telling answer was HTTP {answer.status}). Is the base URL "
        "right (the right region? /v2/ at its end?), and which path and parameters does the API's reference state?",
        urgency=100,
    )
