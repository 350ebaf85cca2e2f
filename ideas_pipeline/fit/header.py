"""Find the header that carries the token, with the first requests for lists."""

from __future__ import annotations

from collections.abc import Iterator

from ideas_pipeline.fit.draft import Inferred
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.explorer import Explorer
from ideas_pipeline.fit.login_answers import challenge_scheme, token_type
from ideas_pipeline.probe import vocabulary

_REFUSED = (401, 403)


def get(explorer: Explorer, path: str) -> Exchange:
    """Read a path. Until a header has been accepted, a refusal makes it try the other common headers."""
    session = explorer.session
    answer = session.get(path)
    if answer.is_missing or explorer.header_known:
        return answer
    if not _is_refusal(answer):
        if answer.ok and isinstance(answer.body, dict | list):
            _accept_header(explorer, answer)
        return answer
    for name, form in _headers(explorer, answer):
        headers = {name: form.replace("{access_token}", explorer.tokens.access)}
        if headers == session.header:
            continue
        session.say(f"header: trying {name}")
        other = session.get(path, header=headers)
        if not _is_refusal(other):
            session.header = headers
            place = ("auth", "header")
            reason = "the API accepts it, and refused the one before"
            explorer.draft.propose(Inferred((*place, "name"), name, reason), Inferred((*place, "format"), form, reason))
            explorer.header_known = True
            return other
    explorer.header_known = None
    explorer.draft.ask(
        ("auth", "header", "name"),
        "The API refuses the token in every known header. Which header does the API's reference, or the browser, show "
        "for API calls?",
        urgency=98,
    )
    return answer


def _is_refusal(answer: Exchange) -> bool:
    return answer.status in _REFUSED or answer.refuses_token or answer.states_error


def _accept_header(explorer: Explorer, answer: Exchange) -> None:
    explorer.header_known = True
    for name in ("name", "format"):
        explorer.draft.confirm(("auth", "header", name), f"the API accepts it ({answer.status})")


def _headers(explorer: Explorer, refusal: Exchange) -> Iterator[tuple[str, str]]:
    """Headers that may carry the token: first with the scheme that the API names, then the common ones."""
    for scheme in (challenge_scheme(refusal), token_type(explorer.tokens.answer)):
        if scheme:
            yield "Authorization", f"{scheme} {{access_token}}"
    yield from vocabulary.HEADERS
