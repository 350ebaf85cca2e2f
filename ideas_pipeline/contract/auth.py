"""Models of the contract's auth flow: requests that get, renew and check tokens, and the header that carries one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ideas_pipeline.contract.types import (
    HeaderName,
    Model,
    Paths,
    SendAs,
    UrlPath,
    refuse_other_placeholders,
)


class AuthRequest(Model):
    """One request of the auth flow. ``fields`` maps a parameter's name to a template such as ``{client_id}``."""

    placeholders: ClassVar[tuple[str, ...]] = ()

    method: Literal["GET", "POST"] = "POST"
    path: UrlPath
    send_as: SendAs = "form"
    fields: dict[str, str]

    @field_validator("fields")
    @classmethod
    def _can_be_filled(cls, value: dict[str, str]) -> dict[str, str]:
        for name, template in value.items():
            try:
                refuse_other_placeholders(template, cls.placeholders)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return value

    @model_validator(mode="after")
    def _a_get_has_no_body(self) -> AuthRequest:
        if self.method == "GET" and self.send_as != "query":
            raise ValueError("a GET request has no body: set send_as to query, or method to POST")
        return self


class CodeRequest(AuthRequest):
    """Client id and secret in, auth code out (or sent to the API client's endpoint, see ``callback``).

    ``{state}`` is a new random text of each login, which the API sends back with the code (see ``callback.state``).
    """

    placeholders: ClassVar[tuple[str, ...]] = ("client_id", "client_secret", "state")

    auth_code: Paths


class TokenRequest(AuthRequest):
    """Auth code in, a token pair out. ``expires_in``: its lifetime in seconds, if the API reports it.

    An API may issue no refresh token (RFC 6749 §5.1, §6): then the old one is kept, or each expiry costs a login.
    """

    placeholders: ClassVar[tuple[str, ...]] = ("auth_code", "client_id", "client_secret")

    access_token: Paths
    refresh_token: Paths
    expires_in: Paths = ()


class RefreshRequest(TokenRequest):
    """Refresh token in, a token pair out."""

    placeholders: ClassVar[tuple[str, ...]] = ("refresh_token", "access_token", "client_id", "client_secret")


class ValidateRequest(AuthRequest):
    """Access token in, yes or no out at ``valid``. Without a value there, any 2xx means valid."""

    placeholders: ClassVar[tuple[str, ...]] = ("access_token", "client_id", "client_secret")

    valid: Paths = ()


class TokenHeader(Model):
    """The header of every API call."""

    name: HeaderName
    format: str

    @field_validator("format")
    @classmethod
    def _names_the_token(cls, value: str) -> str:
        if "{access_token}" not in value:
            raise ValueError("the format must contain {access_token}, for example: Bearer {access_token}")
        if not value.isprintable():
            raise ValueError("a header's value has no line breaks or control characters")
        refuse_other_placeholders(value, ["access_token"])
        return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, int | str) else value


def _can_refuse(status: int) -> int:
    if status != 204 and (not 300 <= status <= 599 or status == 429):
        raise ValueError(
            f"{status} cannot be the status of an expired token: name 204, or one from 300 to 599 other than 429, "
            "which is a rate limit; for a 200 with an error body, write some words of that body into words"
        )
    return status


def _can_be_found(word: str) -> str:
    if len(word.strip()) < 3:
        raise ValueError(f"{word!r} is too short to be looked for: write at least 3 characters of the API's error body")
    return word


class ExpiredToken(Model):
    """How the API refuses an expired token, if the pipeline does not recognise it without help.

    A response means that the token has expired if its status is one of ``statuses``, or if it holds no records and its
    body contains one of ``words``, in upper or lower case. 401, and errors that name a token or a login, need no line.
    """

    statuses: Annotated[tuple[Annotated[int, AfterValidator(_can_refuse)], ...], BeforeValidator(_one_or_more)] = ()
    words: Annotated[tuple[Annotated[str, AfterValidator(_can_be_found)], ...], BeforeValidator(_one_or_more)] = ()


class Callback(Model):
    """The URL parameters with which the API calls a configured endpoint.

    ``parameter`` has the auth code. ``state`` has what ``{state}`` of the code request sent, if the API returns it: a
    code without it is refused (RFC 6749 §10.12). Null if the API knows no such parameter.
    """

    parameter: str
    state: str | None = None

    @model_validator(mode="after")
    def _are_two(self) -> Callback:
        if self.state == self.parameter:
            raise ValueError(f"{self.state} cannot be the parameter of the code and of the state: name two")
        return self


class Auth(Model):
    """The auth flow: its requests, the header that carries the token, and the endpoint's parameter."""

    code: CodeRequest
    token: TokenRequest
    refresh: RefreshRequest
    validate_: ValidateRequest = Field(alias="validate")
    header: TokenHeader
    expired: ExpiredToken = ExpiredToken()
    callback: Callback

    @model_validator(mode="after")
    def _sends_the_state_that_it_expects(self) -> Auth:
        sends = any("{state}" in template for template in self.code.fields.values())
        if sends != (self.callback.state is not None):
            raise ValueError(
                "a state must be sent and come back: write {state} into a field of code, and into callback.state the "
                "parameter in which the API returns it; or neither"
            )
        return self
