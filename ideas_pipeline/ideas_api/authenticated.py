"""API calls with a valid token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api.auth import Auth
from ideas_pipeline.ideas_api.transport import Response, Transport


class AuthenticatedTransport:
    """API calls with a valid token, whatever happens to the token meanwhile."""

    def __init__(self, auth: Auth, transport: Transport) -> None:
        self._auth = auth
        self._transport = transport

    def send(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        json: Any = None,
        stream: str | None = None,
        scope: str | None = None,
    ) -> Response:
        """The answer. Raises AuthenticationError where even a new token is refused, and what ``Transport.send`` raises.

        A refused token is renewed for everybody, and then once for this call alone: when tokens are short-lived
        and callers many, the others may have used up the first new one.
        """
        asked = 0

        def answer(header: Mapping[str, str]) -> Response:
            nonlocal asked
            response = self._transport.send(
                method, path_or_url, params=params, form=form, json=json, headers=header, stream=stream, scope=scope
            )
            asked += response.requests
            return replace(response, requests=asked)

        try:
            header, token = self._auth.header()
            response = answer(header)
            if response.status == HTTPStatus.UNAUTHORIZED:
                self._auth.renew(token)
                response = answer(self._auth.header()[0])
            if response.status == HTTPStatus.UNAUTHORIZED:
                with self._auth.alone() as header:
                    response = answer(header)
            if response.status == HTTPStatus.UNAUTHORIZED:
                raise self._auth.refused_at_once(response)
        except IdeasApiError as error:
            if stream:
                error.at(stream, scope or "")
            raise
        self._auth.accepted()
        return response
