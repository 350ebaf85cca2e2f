"""Work out a contract from files and from the live API, step by step."""

from __future__ import annotations

from collections.abc import Sequence

from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.explorer import Explorer
from ideas_pipeline.fit.limits import fit_limits
from ideas_pipeline.fit.lists import explore
from ideas_pipeline.fit.login import fit_login, fit_renewal
from ideas_pipeline.fit.recorded import fit_recorded
from ideas_pipeline.fit.session import Session, Stopped
from ideas_pipeline.fit.times import fit_timezone
from ideas_pipeline.ideas_api.auth import Credentials

# Requests that are reserved for the refresh of the token, which is tried last because it may end the token in use.
_FOR_RENEWAL = 15


def infer(draft: Draft, recorded: Sequence[Exchange], session: Session | None, credentials: Credentials | None) -> None:
    """Work out a contract from files and from the live API.

    Args:
        draft: the contract in force; gets what is found, and what is open.
        recorded: the exchanges of files, with paths below the API's address.
        session: the live API; None to send nothing.
        credentials: client id and secret, to recognise them in recorded requests; None if unknown.

    Raises:
        AuthenticationError: the API refuses client id and secret.
        Unavailable: the API does not answer at all.
    """
    fit_recorded(recorded, draft, credentials)
    if session:
        _fit_live(session, draft)
    seen = session.seen if session else []
    fit_limits(draft, [*recorded, *seen])
    fit_timezone(draft, [*recorded, *seen])


def _fit_live(session: Session, draft: Draft) -> None:
    """Ask the live API.

    Args:
        session: the live API.
        draft: the contract in force; gets what is found, and what is open.

    Raises:
        AuthenticationError: the API refuses client id and secret.
        Unavailable: the API does not answer at all.
    """
    session.say("host: asking whether it answers")
    tokens = None
    try:
        session.get("", header={})
        tokens = fit_login(session, draft)
        if tokens is not None:
            form = draft.contract.auth.header
            session.header = {form.name: form.format.replace("{access_token}", tokens.access)}
            session.reserved = min(_FOR_RENEWAL, session.most // 4)
            explore(Explorer(session, draft, tokens))
    except Stopped as stopped:
        draft.ask((), str(stopped), urgency=99)
    session.reserved = 0
    try:
        if tokens is not None:
            fit_renewal(session, draft, tokens)
    except Stopped as stopped:
        draft.ask((), str(stopped), urgency=99)
