"""Recognise personal data that no contract describes: by the name of its field, and by its shape.

A name of a field is read as words: ``emailAddress``, ``e-mail_address`` and ``EMAIL ADDRESS`` are the same.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ideas_pipeline.ideas_api.field_map import is_email
from ideas_pipeline.tables.columns import Pii

Json = Any

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WHO = _listed(
    """
    account accounts actor actors admin administrator administrators admins applicant applicants approver
    approvers assignee assignees attendee attendees author authors backer backers buddies buddy by candidate
    candidates champion champions coauthor coauthors collaborator collaborators colleague colleagues commenter
    commenters contact contacts contributor contributors creator creators curator curators customer customers
    delegate delegates deputies deputy editor editors employee employees endorser endorsers evaluator evaluators
    expert experts facilitator facilitators follower followers friend friends guest guests host hosts human
    humans individual individuals initiator initiators invitee invitees inviter inviters judge judges leader
    leaders liker likers manager managers member members mention mentions mentor mentors moderator moderators
    nominee nominees organiser organisers organizer organizers originator originators owner owners participant
    participants peer peers people person persons poster posters profile profiles proposer proposers publisher
    publishers reader readers recipient recipients registrant registrants reporter reporters representative
    representatives requester requesters requestor requestors respondent respondents responder responders
    reviewer reviewers sender senders speaker speakers sponsor sponsors staff stakeholder stakeholders student
    students submitter submitters subscriber subscribers supporter supporters teacher teachers teammate
    teammates updater updaters uploader uploaders user users viewer viewers visitor visitors voter voters
    watcher watchers who whom winner winners writer writers
    """
)
_PREPOSITIONS = frozenset({"by", "who", "whom"})  # only at the end: `votes_by_day` names nobody
_PORTRAIT = _listed("avatar avatars birthday gravatar jobtitle photo photos picture pictures portrait")
# Lists of such things are lists of the people who did them.
_DEEDS = _listed("follow follows invited like liked likes reaction reactions seen shared upvotes votes watching")
_EMAIL = _listed("email emails mail mails mailto emailaddress mailaddress")
# `email_frequency: weekly` says how a person gets mail, not where.
_ABOUT_MAIL = _listed(
    """
    body count digest enabled format frequency language notification notifications opt preference preferences sent
    setting settings status subject subscribed subscription template verified
    """
)
_WHOLE_NAMES = _listed(
    """
    displayname firstname forename forenames fullname givenname handle initials lastname login middlename nick
    nickname nicknames realname screenname surname surnames username usernames familyname maidenname alias
    """
)
_BEFORE_NAME = _listed(
    """
    display family first for from full given last legal maiden middle nick preferred real screen second to user
    """
)
_PROFILE = _listed(
    """
    address addresses avatar avatars bio biography birth birthdate birthday born cell cellphone city dob
    employer ethnicity facebook fax gender geo geolocation gravatar hometown iban instagram ip ips jobtitle
    latitude linkedin location longitude mobile msisdn nationality occupation passport phone phones pincode
    postal postcode religion residence salary selfie sex signature skype ssn street tel telephone telephones
    twitter useragent whatsapp zip zipcode
    """
)
_PROFILE_PAIRS = frozenset(
    {("job", "title"), ("user", "agent"), ("about", "me"), ("contact", "number"), ("profile", "picture")}
)
_IDS = _listed("id ids uid uuid guid pk key oid")
_OF_IDS = re.compile(r"(?<![\W_])[\W_]*(?:ids?|uuids?|guids?|uids?)$", re.IGNORECASE)
_TEXTS = _listed(
    """
    answer answers body caption comment comments content contents excerpt feedback html message messages note
    notes quote reason remark remarks reply snippet text texts
    """
)
_TEXTS_OF_POSTS = _TEXTS | _listed("description headline subject summary title")

# The lookbehind lets a match begin only at the start of a word: a search from each letter would take quadratic time.
ADDRESS = re.compile(
    r"(?<![^\s@<>\"'(),;:\[\]])[^\s@<>\"'(),;:\[\]]+@[^\s@<>\"'(),;:\[\]]+\.[^\s@<>\"'(),;:\[\].]+", re.IGNORECASE
)
# The same in a URL. The first part ends at the first %40, so that a search takes linear time, too.
ENCODED_ADDRESS = re.compile(
    r"(?<![^\s/?&=#<>\"',;:@])(?!%40)[^\s/?&=#<>\"',;:@%]*(?:%(?!40)[^\s/?&=#<>\"',;:@%]*)*%40"
    r"[^\s/?&=#<>\"',;:@.]+\.[^\s/?&=#<>\"',;:@]+"
)
_PHONE = re.compile(
    r"\s*(?:tel:)?(?:(?:\+|00)\d[\d\s().\-/]{6,20}\d|\(\d{2,5}\)[\s\-]?\d[\d\s\-]{4,12}\d|\d{3}[-. ]\d{3}[-. ]\d{4})\s*"
)
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}", re.IGNORECASE)
_PICTURE = re.compile(r"https?://[^/]*gravatar\.com/.*|https?://(?=\S*\Z)\S*/avatars?/\S*", re.IGNORECASE)
_AN_ID = re.compile(r"[0-9]+|[0-9a-f]{8}-?[0-9a-f-]{8,}|erased-[0-9a-f]+|[a-z]{0,3}[-_:]?[0-9]+", re.IGNORECASE)


@lru_cache(maxsize=1 << 14)
def words(name: str) -> tuple[str, ...]:
    """The words of a field's name, in lower case; ``e-mail`` is one word."""
    found = tuple(word.lower() for word in _WORDS.findall(name))
    for n in range(len(found) - 1):
        if found[n : n + 2] in (("e", "mail"), ("e", "mails")):
            return (*found[:n], "email", *found[n + 2 :])
    return found


@lru_cache(maxsize=1 << 14)
def class_of_name(name: str) -> Pii | None:
    """The class of what a field with this name holds; None if the name says nothing of a person.

    A name such as ``created_by`` says whom the value names, not what it is: see ``names_who``.
    """
    of = words(name)
    if any(word in _EMAIL for word in of) and not any(word in _ABOUT_MAIL for word in of):
        return "email"
    if _is_of_a_name(of):
        return "name"
    if any(word in _PROFILE for word in of) or any(of[n : n + 2] in _PROFILE_PAIRS for n in range(len(of))):
        return "profile"
    return None


def _is_of_a_name(of: tuple[str, ...]) -> bool:
    if any(word in _WHOLE_NAMES for word in of):
        return True
    return any(
        word in ("name", "names") and n > 0 and (of[n - 1] in _BEFORE_NAME or of[n - 1] in _WHO)
        for n, word in enumerate(of)
    )


@lru_cache(maxsize=1 << 14)
def names_who(name: str) -> bool:
    """Whether a field with this name says who: its value is a person's id or name, or a list of them."""
    of = words(name)
    return bool(of) and of[-1] in _WHO


@lru_cache(maxsize=1 << 14)
def is_id_of_who(name: str) -> bool:
    """Whether an id in a field with this name is a person's: ``created_by``, ``editorId``, ``host_ids``, ``userid``."""
    return names_who(_OF_IDS.sub("", name))


@lru_cache(maxsize=1 << 14)
def names_many(name: str) -> bool:
    """Whether a field with this name names several people: ``followers``."""
    of = words(name)
    return bool(of) and of[-1] in _WHO and (of[-1].endswith("s") or of[-1] in ("people", "staff"))


@lru_cache(maxsize=1 << 14)
def holds_people(name: str, *, as_a_list: bool) -> bool:
    """Whether the maps in a field with this name describe people: ``mentions``, or a list of ``likes``."""
    of = words(name)
    people = any(word in _WHO - _PREPOSITIONS for word in of) or names_who(name)
    return people or (as_a_list and any(word in _DEEDS for word in of))


@lru_cache(maxsize=1 << 14)
def is_bare_name(name: str) -> bool:
    """Whether a field with this name, in a map that describes a person, is the person's name."""
    return any(word in ("name", "names", "label") for word in words(name)) or _is_of_a_name(words(name))


@lru_cache(maxsize=1 << 14)
def is_id(name: str) -> bool:
    """Whether a field with this name holds an id."""
    of = words(name)
    return bool(of) and of[-1] in _IDS


@lru_cache(maxsize=1 << 14)
def is_text(name: str, *, within_a_map: bool) -> bool:
    """Whether a field with this name holds what somebody wrote. A title is that only inside another record."""
    of = words(name)
    return bool(of) and of[-1] in (_TEXTS_OF_POSTS if within_a_map else _TEXTS)


def describes_a_person(value: dict[str, Json]) -> bool:
    """Whether a map has fields that only a person has."""
    return any(_only_of_a_person(name) for name in value)


@lru_cache(maxsize=1 << 14)
def _only_of_a_person(name: str) -> bool:
    of = set(words(name))
    # `author_name` says that the map names an author, not that it is one.
    own = class_of_name(name) in ("name", "email") and not of & (_WHO - {"user"})
    return own or bool(of & _PORTRAIT)


def class_of_shape(text: str) -> Pii | None:
    """The class of a text that is an address, a phone number or a portrait by its shape, whatever its field."""
    if is_email(text):
        return "email"
    if len(text) <= 40 and (_PHONE.fullmatch(text) or _IP.fullmatch(text)):
        return "profile"
    return "profile" if text.startswith("http") and _PICTURE.fullmatch(text) else None


def looks_like_an_id(text: str) -> bool:
    """Whether a text looks more like an id than a name."""
    return _AN_ID.fullmatch(text) is not None
