"""Check that the API can be reached and used: host, login, header, validation, refresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import AccessDenied, AuthenticationError, ContractError, IdeasApiError
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.responses import http_date
from ideas_pipeline.ideas_api.transport import Parameters
from ideas_pipeline.probe import vocabulary
from ideas_pipeline.probe.step import Step, fixed

_CLOCK_MINUTES = 5

# Each path costs a request, and a refused refresh a login: `ideas-pipeline fit` tries more of them.
_MOST_PATHS = 4

Connect = Callable[[Contract], IdeasApi]


def check_access(contract: Contract, connect: Connect) -> Iterator[tuple[Step, IdeasApi | None]]:
    """Check host, login, header, validation and refresh.

    Args:
        contract: the contract to compare.
        connect: creates a client for a contract.

    Yields:
        Each step, and the client for the steps that follow, once there is one. No IdeasApiError is raised.
    """
    names = ["host", "login", "header", "validation", "refresh"]
    opened: list[IdeasApi] = []

    def connected(c: Contract) -> IdeasApi:
        opened.append(connect(c))
        return opened[-1]

    def run(name: str, check: Callable[[Step], None]) -> Step:
        step = Step(name)
        before = sum(api.transport.requests for api in opened)
        try:
            check(step)
        except IdeasApiError as error:
            step.fail(error)
        step.count(requests=sum(api.transport.requests for api in opened) - before)
        return step

    try:
        api = connected(contract)
    except IdeasApiError as error:
        step = Step(names.pop(0))
        step.fail(error)
        yield step, None
        yield from _skipped(names, "the host cannot be used")
        return
    for check in (_check_host, _check_login):
        step = run(names.pop(0), partial(check, api=api))
        yield step, None
        if step.verdict == "failed":
            yield from _skipped(names, "it requires the previous step")
            return
    step = run("header", partial(_check_header, api=api))
    if step.verdict == "differs":
        api = connected(fixed(contract, step.fix))
    yield step, api if step.verdict != "failed" else None
    yield run("validation", partial(_check_validation, api=api, connect=connected)), None
    yield run("refresh", partial(_check_refresh, api=api, connect=connected)), None


def _skipped(names: Sequence[str], reason: str) -> Iterator[tuple[Step, None]]:
    for name in names:
        step = Step(name)
        step.skip(reason)
        yield step, None


def _check_host(step: Step, api: IdeasApi) -> None:
    # Any response shows that the host can be reached. A token comes later.
    response = api.transport.send("GET", "", lenient=True)
    step.agree(f"{api.base_url} responds")
    theirs = http_date(response.headers.get("Date"))
    if theirs is None:
        step.note("the response has no Date header, so this machine's clock could not be compared")
    elif abs(off := (response.received_at - theirs) / 60) > _CLOCK_MINUTES:
        step.differ(f"this machine's clock is {abs(off):.0f} minutes {'ahead of' if off > 0 else 'behind'} the API's")
    else:
        step.agree("this machine's clock agrees with the API's")


def _check_login(step: Step, api: IdeasApi) -> None:
    failure = _use_stored_token(step, api)
    api.auth.login()
    stored = api.auth.stored()
    if stored and stored.refresh_token:
        step.agree("client id and secret give an auth code, which gives an access token and a refresh token")
        step.confirm("auth.token.refresh_token")
    else:
        step.agree("client id and secret give an auth code, which gives an access token")
        step.note("the response to the token request has no refresh token, so each expired token costs a login")
    if failure:
        _explain_stored_token(step, api, failure)
    for part, names in (
        ("code", ("method", "path", "send_as", "fields", "auth_code")),
        ("token", ("method", "path", "send_as", "fields", "access_token")),
    ):
        step.confirm(*(f"auth.{part}.{name}" for name in names))


def _use_stored_token(step: Step, api: IdeasApi) -> IdeasApiError | None:
    """Use the token of an earlier run once, as a sync does. Returns the error that a sync would meet."""
    stream, stored = _first_list(api), api.auth.stored()
    if stream is None or stored is None:
        return None
    try:
        _read_first_page(api, stream)
    except IdeasApiError as error:
        return error
    renewed = api.auth.stored()
    if renewed and renewed.access_token == stored.access_token:
        step.agree("the API accepts the stored access token, as in a sync")
    else:
        step.agree("the stored access token was no longer valid and was renewed, as in a sync")
    return None


def _explain_stored_token(step: Step, api: IdeasApi, failure: IdeasApiError) -> None:
    """Note that only a new login works, although a sync uses the stored token."""
    stream = _first_list(api)
    try:
        if stream:
            _read_first_page(api, stream)
    except IdeasApiError:
        return  # A new token changes nothing, so the stream's own step reports this error.
    step.differ(
        f"a sync fails with the stored token, which has probably expired: {failure.message}"
        f"{f' (HTTP {failure.status})' if failure.status else ''}. After a new login the same request works",
        place="auth.expired.statuses" if failure.status and failure.status >= 300 else None,
        to=[failure.status],
    )
    if not failure.status or failure.status < 300:
        step.ask("write some words of that response into auth.expired.words, so that a sync recognises it")


def _first_list(api: IdeasApi) -> str | None:
    """The first stream that requires no other."""
    return next((name for name in api.contract.order() if not api.contract.streams[name].each), None)


def _read_first_page(api: IdeasApi, stream: str) -> None:
    api.request(stream, "", pagination.first(api.contract.streams[stream].paging)).found()


def _check_header(step: Step, api: IdeasApi) -> None:
    """Request the first list that requires no other, with the contract's header and then with common ones."""
    header = api.contract.auth.header
    stream = _first_list(api)
    if stream is None:
        step.skip("every stream requires ids of another one")
        return
    try:
        _read_first_page(api, stream)
    except (AuthenticationError, AccessDenied) as refused:
        if other := _accepted_header(api, stream):
            name, template = other
            sentence = f"the API refuses the contract's header {header.name}, but accepts {name}: {template}"
            step.differ(sentence, place="auth.header", to={"name": name, "format": template})
            return
        if isinstance(refused, AuthenticationError):
            raise
        step.note(f"this account may not read {stream}, so it is not certain that the header is right")
        return
    except IdeasApiError:
        # The stream's own step reports this error.
        step.note(f"{stream} could not be read, so it is not certain that the header is right")
        return
    step.agree(f"the API accepts the header {header.name}")
    step.confirm("auth.header.name", "auth.header.format")


def _accepted_header(api: IdeasApi, stream: str) -> tuple[str, str] | None:
    """The first of the common headers, other than the contract's, with which the API accepts a new token."""
    own, spec = api.contract.auth.header, api.contract.streams[stream]
    parameters = pagination.parameters(spec.paging, pagination.first(spec.paging)) | dict(spec.parameters)
    sent = Parameters(parameters, spec.send_as)
    with api.auth.exclusive_token() as (_, token):
        for name, template in vocabulary.HEADERS:
            if (name, template) == (own.name, own.format):
                continue
            headers = {name: template.format(access_token=token)}
            try:
                response = api.transport.send(spec.method, spec.path, sent, headers=headers)
            except IdeasApiError:
                continue
            if response.status < 300 and not (response.refuses_token or response.states_error):
                return name, template
    return None


def _check_validation(step: Step, api: IdeasApi, connect: Connect) -> None:
    own = api.contract.auth.validate_
    try:
        valid = api.auth.validate()
    except (AuthenticationError, ContractError) as error:
        for path in vocabulary.VALIDATE_PATHS[:_MOST_PATHS]:
            if path != own.path and _validates(connect(fixed(api.contract, _at("validate", path)))):
                step.differ(f"tokens are validated at {path}, not at {own.path}", place="auth.validate.path", to=path)
                return
        raise error
    if not valid:
        raise AuthenticationError(
            "the API does not report a new access token as valid", hint="Check auth.validate in the contract."
        )
    step.agree("the API reports the access token as valid")
    step.confirm(*(f"auth.validate.{name}" for name in ("method", "path", "send_as", "fields", "valid")))


def _validates(api: IdeasApi) -> bool:
    try:
        return api.auth.validate()
    except IdeasApiError:
        return False


def _check_refresh(step: Step, api: IdeasApi, connect: Connect) -> None:
    own = api.contract.auth.refresh
    before = api.auth.stored()
    if before and not before.refresh_token:
        step.skip("the API issues no refresh token, so each expired token costs a login")
        return
    if _refreshes(api):
        after = api.auth.stored()
        step.confirm(*(f"auth.refresh.{name}" for name in ("method", "path", "send_as", "fields", "access_token")))
        if before and after and before.refresh_token == after.refresh_token:
            step.agree("the refresh token gives a new access token, and stays valid itself")
        else:
            step.agree("the refresh token gives a new pair of tokens")
            step.confirm("auth.refresh.refresh_token")
        return
    for path in vocabulary.REFRESH_PATHS[:_MOST_PATHS]:
        if path != own.path and _refreshes(connect(fixed(api.contract, _at("refresh", path)))):
            step.differ(f"tokens are refreshed at {path}, not at {own.path}", place="auth.refresh.path", to=path)
            return
    step.differ(
        f"the API refuses to refresh a new token at {own.path}, so every expired token requires a login; "
        "look up the route in the API's reference, and set auth.refresh"
    )


def _refreshes(api: IdeasApi) -> bool:
    """Whether the refresh token gives a new pair. A login instead would take more than one request."""
    _, token = api.auth.header()
    before = api.transport.requests - api.transport.retries
    try:
        api.auth.renew(token)
    except ContractError:
        return False
    return api.transport.requests - api.transport.retries - before == 1


def _at(part: str, path: str) -> dict[str, dict[str, dict[str, str]]]:
    return {"auth": {part: {"path": path}}}
