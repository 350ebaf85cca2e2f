"""How APIs refuse a token and a client that is too fast: with which status, headers and body."""

from __future__ import annotations

from typing import Literal

from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.responses import Response, error_response, json_bytes

TokenRefusal = Literal["401", "403", "400", "200", "200 with a code"]
RateRefusal = Literal["429", "403", "200"]


def refused_token(dialect: TokenRefusal, message: str) -> Response:
    """The response to a token that is missing, unknown or expired. ``message``: what is wrong with it."""
    match dialect:
        case "401":
            return error_response(401, message)
        case "403":
            return Response(403, json_bytes({"message": message}))
        case "400":  # RFC 6750 §3.1
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return Response(400, json_bytes({"error": "invalid_token", "error_description": message}), challenge)
        case "200":
            return Response(200, json_bytes({"error": "invalid_token", "error_description": message}))
        case "200 with a code":
            return Response(200, json_bytes({"success": False, "code": 401, "msg": message}))


def refused_rate(dialect: RateRefusal, message: str, seconds: int) -> Response:
    """The response to a client that sends too many requests, with the ``seconds`` to wait."""
    wait = {"Retry-After": str(seconds)}
    match dialect:
        case "429":
            return error_response(429, message, wait)
        case "403":
            left = {"X-RateLimit-Remaining": "0"}
            return Response(403, json_bytes({"message": "You have exceeded a rate limit."}), wait | left)
        case "200":
            error: dict[str, Json] = {"code": "rate_limit_exceeded", "message": message, "retry_after": seconds}
            return Response(200, json_bytes({"error": error}))
