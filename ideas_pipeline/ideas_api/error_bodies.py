"""Read the error that a response's body states: that it is one, and whether it is about the token or a rate limit.

APIs state errors in many shapes, with any status: ``{"error": "invalid_token"}`` (RFC 6750 §3.1), ``{"error": {"code":
…, "message": …}}`` (Google, Facebook), ``{"message": …}`` (GitHub), ``{"success": false, "msg": …}``, problem details
(RFC 9457). Only texts at places where errors stand are read. A body with records is not read; a single record without
an id can be taken for an error if it has a text at such a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from ideas_pipeline.contract.types import Json
from ideas_pipeline.ideas_api.responses import LONGEST_PAUSE

_PLACES = frozenset(
    [
        "code",
        "codes",
        "description",
        "detail",
        "details",
        "err",
        "exception",
        "fault",
        "faultcode",
        "faultstring",
        "info",
        "message",
        "messages",
        "meta",
        "msg",
        "name",
        "reason",
        "response",
        "responsestatus",
        "result",
        "retryafter",
        "status",
        "statuscode",
        "statusmessage",
        "title",
        "type",
    ]
)
# Where a sentence for people stands.
_MESSAGES = frozenset(("message", "messages", "msg", "detail", "details", "reason", "info", "statusmessage"))
_OK_FLAGS = frozenset(("ok", "success", "successful", "succeeded"))
_FAILED = frozenset(("error", "fail", "failed", "failure", "unauthorized", "forbidden"))
# What stands at the place of an error if there is none: ``"errmsg": "ok"`` (WeChat). A code is then 0 or ``"00000"``.
_NO_ERROR = frozenset(("ok", "none", "null", "false", "no", "success", "successful", "no error"))
_DEEPEST = 5
_MOST_VALUES = 60
_LONGEST_TEXT = 1000

# 419, 440 and 498 are statuses of Laravel, IIS and Esri: the session or the token has expired.
TOKEN_STATUSES = frozenset((401, 419, 440, 498))
# 420 is an old status of Twitter's.
RATE_STATUSES = frozenset((420, 429))

_OTHER_TOKENS = re.compile(
    r"\b(?:page|cursor|next|continuation|pagination|paging|sync|csrf|xsrf|invite|upload|reset|device) tokens?\b"
)
_SUBJECT = r"(?:tokens?|session|jwt|credentials?|login|ticket|signature|api key)"
_DEFECT = (
    r"(?:expired|expires|invalid|revoked|not valid|no longer valid|not active|inactive|not found|unknown|missing"
    r"|required|malformed|not recogni[sz]ed|timed out|rejected|incorrect|wrong|stale|not (?:\w+ )?provided|ended)"
)
_ABOUT_TOKEN = re.compile(
    rf"\b{_SUBJECT}\b(?: \w+){{0,5}} {_DEFECT}\b"
    rf"|\b{_DEFECT}(?: \w+){{0,3}} {_SUBJECT}\b"
    r"|\bun(?:authori[sz]ed|authenticated)\b"
    r"|\bnot (?:authenticated|authed|logged in|signed in)\b"
    r"|\bauth(?:entication)? (?:is )?(?:required|failed|expired|needed)\b"
    r"|\b(?:invalid|expired) auth(?:entication|orization)?\b"
    r"|\b(?:please|must|need to|have to) (?:re)?(?:log ?in|sign ?in|authenticate)\b"
    r"|\b(?:log ?in|sign ?in) (?:again|required|first)\b"
    r"|\boauth (?:access token )?exception\b"
    r"|^expired$"
)
_ABOUT_RATE = re.compile(
    r"\brate ?limit(?:ed|ing)?\b(?: \w+){0,4} (?:exceeded|reached|hit|exhausted)\b"
    r"|\b(?:exceed(?:ed|s|ing)?|reached|hit|over)(?: \w+){0,4} (?:rate|rates|quota|request limit|call limit)\b"
    r"|\btoo many (?:\w+ ){0,2}(?:requests|calls|queries)\b"
    r"|\b(?:requests?|calls?|api|usage|daily|hourly|quer(?:y|ies)) (?:limit|quota)s?(?: \w+){0,3} "
    r"(?:exceeded|reached|hit|exhausted)\b"
    r"|\bquota(?: \w+){0,3} (?:exceeded|reached|exhausted)\b"
    r"|\bthrottl(?:ed|ing)\b|\bslow down\b|\benhance your calm\b|\babuse detection\b"
    r"|^(?:rate ?limit(?:ed)?|limit exceeded|rate limit error)$"
)
_MENTIONS_RATE = re.compile(
    r"\brate ?limit|\brequests per (?:second|minute|hour|day)\b|\b(?:retry|try again) (?:after|in)\b"
    r"|\bwait(?: \w+){0,3} (?:seconds?|minutes?)\b"
)
# A message beside no records that says why there are none: the account may not see them, or the API is in trouble.
_ABOUT_FAILURE = re.compile(
    r"\b(?:access|permission|request) (?:is |was )?(?:denied|refused|forbidden|restricted|rejected)\b"
    r"|\b(?:no|not|without|insufficient|missing|lacks?|lacking)(?: \w+){0,3} "
    r"(?:permissions?|privileges?|rights|access)\b"
    r"|\b(?:forbidden|permission denied|not (?:allowed|permitted|authori[sz]ed|entitled)|must be an? admin\w*)\b"
    r"|\b(?:under|down for|in|undergoing|scheduled) (?:\w+ )?maintenance\b|\b(?:be )?back (?:soon|shortly|later)\b"
    r"|\b(?:temporarily|currently|service|server|system) (?:is )?"
    r"(?:temporarily |currently )?(?:unavailable|overloaded|degraded|busy|down)\b"
    r"|\b(?:internal|server|database|unexpected|unknown|system|fatal|query) (?:server )?error\b"
    r"|\b(?:an? )?error (?:has )?occur(?:r?ed)\b|\bsomething went wrong\b|\btimed? ?out\b|\bexception\b"
    r"|\b(?:failed|unable|could not|cannot|can't) (?:to )?(?:\w+ ){0,2}"
    r"(?:load|fetch|retrieve|get|read|process|connect)\b"
)

# The words of an API that calls an empty list, or a page beyond the end of a list, an error.
_NO_RECORDS = re.compile(
    r"(?:sorry )?(?:there (?:are|is|were|was) )?(?:(?:no|0) (?:(?:more|further|matching) )?(?:\w+ )?"
    r"(?:records?|results?|rows?|items?|entries|data|objects?|elements?|matches|challenges?|ideas?|comments?|votes?|users?"
    r"|members?)|nothing)(?: (?:were|was|are|is|have been))?(?: (?:found|available|exists?|left|returned|to show))?"
)
_MAY_STAND_BESIDE_NO_RECORDS = frozenset((200, 204, 400, 404, 410, 416, 422))


@dataclass(slots=True)
class StatedError:
    """What a body says where errors stand.

    Attributes:
        texts: lower-case words, ``invalidToken`` as ``invalid token``.
        codes: numbers at the places of a code or status.
        marked: whether the body calls itself an error, for example by ``error`` or ``"success": false``, or a message
            says that nothing could be read.
        retry_after: the pause that the body asks for, in seconds; None if it names none.
        has_records: whether the body holds records, so that nothing in it was read.
    """

    texts: list[str] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)
    marked: bool = False
    retry_after: float | None = None
    has_records: bool = False

    @property
    def about_token(self) -> bool:
        """Whether the error is that the token is missing, unknown or expired."""
        if self.codes & TOKEN_STATUSES:
            return True
        return any(_ABOUT_TOKEN.search(_OTHER_TOKENS.sub("", text)) for text in self.texts)

    @property
    def about_no_records(self) -> bool:
        """Whether the error only means that the list is empty, or has ended."""
        if not self.codes <= _MAY_STAND_BESIDE_NO_RECORDS or self.about_token or self.about_rate(loosely=True):
            return False
        is_failure = any(map(_ABOUT_FAILURE.search, self.texts))
        return not is_failure and any(map(_NO_RECORDS.fullmatch, self.texts))

    def about_rate(self, *, loosely: bool) -> bool:
        """Whether the error is a rate limit. ``loosely``: it certainly is an error, so a mention is enough."""
        if self.codes & RATE_STATUSES:
            return True
        loosely = loosely or self.marked
        return any(_ABOUT_RATE.search(text) or (loosely and _MENTIONS_RATE.search(text)) for text in self.texts)


def stated_error(body: Json, status: int) -> StatedError:
    """The error that a body states, if any. With a good ``status``, a body with records or of another shape none."""
    found = StatedError()
    good = status < 300
    if isinstance(body, list) and len(body) == 1 and isinstance(body[0], dict) and "errorCode" in body[0]:
        body = {"errors": body}  # Salesforce sends a list of errors.
    if isinstance(body, str):
        _add(found, "message", body)
    elif isinstance(body, list):
        found.has_records = good and bool(body)
    elif isinstance(body, dict):
        found.has_records = good and ("id" in body or any(_holds_records(name, value) for name, value in body.items()))
        if not found.has_records:
            for name, value in islice(_at_error_places(body, 0, everything=False), _MOST_VALUES):
                _add(found, name, value)
    return found


def _at_error_places(body: dict[str, Json], depth: int, *, everything: bool) -> Iterator[tuple[str, Json]]:
    """The plain values where errors stand. ``everything``: this map is the error itself, so all its values count."""
    for key, value in body.items():
        name = _plain(key)
        is_error = _is_error_name(name)
        if not (everything or is_error or name in _PLACES or name in _OK_FLAGS):
            continue
        if is_error and says_error(value, depth):
            yield "error", True
        for item in value if isinstance(value, list) else (value,):
            if not isinstance(item, dict | list):
                yield name, item
            elif isinstance(item, dict) and depth < _DEEPEST:
                yield from _at_error_places(item, depth + 1, everything=everything or is_error)


def _add(found: StatedError, name: str, value: Json) -> None:
    if (name == "error" and value is True) or (name in _OK_FLAGS and (value is False or value in ("false", 0))):
        found.marked = True
    elif name == "retryafter" and isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        found.retry_after = float(min(value, LONGEST_PAUSE))
    elif (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdecimal()):
        _add_code(found, name, value)
    elif isinstance(value, str):
        text = _words(value)
        found.texts.append(text)
        if (name in ("status", "result", "type") and text in _FAILED) or (
            name in _MESSAGES and _ABOUT_FAILURE.search(text)
        ):
            found.marked = True


def _add_code(found: StatedError, name: str, value: int | str) -> None:
    if not (name.endswith(("code", "status")) or name.startswith("err")) or len(str(value)) != 3:
        return
    found.codes.add(int(value))
    if int(value) >= 400:
        found.marked = True


def _holds_records(name: str, value: Json) -> bool:
    """Whether a list or map of the body has records in it, and not errors."""
    name = _plain(name)
    if _is_error_name(name):
        return False
    if isinstance(value, list):
        first = value[0] if value else None
        return isinstance(first, dict) and (name not in ("messages", "details") or "id" in first)
    if name in ("messages", "details"):
        return False
    if isinstance(value, dict):
        return "id" in value or any(isinstance(v, list) and v and isinstance(v[0], dict) for v in value.values())
    return False


def says_error(value: Json, depth: int = 0) -> bool:
    """Whether a value at the place of an error states one. A map or list does if a value in it does.

    Beside a code or message, only values at the places of errors count: the id of a trace does not.

    Args:
        value: what stands there. Empty values, 0, false and texts such as ``ok`` state no error.
        depth: how many maps and lists are around it.
    """
    if isinstance(value, dict | list) and depth > _DEEPEST:
        return bool(value)
    if isinstance(value, list):
        return any(says_error(item, depth + 1) for item in value)
    if isinstance(value, dict):
        below = {_plain(name): item for name, item in value.items()}
        if any(name.endswith(("code", "message", "msg")) for name in below):
            below = {name: item for name, item in below.items() if name in _PLACES or _is_error_name(name)}
        return any(item not in (200, "200") and says_error(item, depth + 1) for item in below.values())
    return bool(value) and not (isinstance(value, str) and (not value.strip("0 ") or _words(value) in _NO_ERROR))


def _is_error_name(name: str) -> bool:
    return name.startswith("err") or name in ("fault", "exception")


def _plain(name: str) -> str:
    """A name as one word: ``error_code`` and ``errorCode`` are ``errorcode``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _words(text: str) -> str:
    """A text as lower-case words: ``invalidToken``, ``INVALID_TOKEN`` and ``Invalid token!`` are ``invalid token``."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", text[:_LONGEST_TEXT])
    return " ".join(re.findall(r"[a-z0-9']+", parted.lower()))
