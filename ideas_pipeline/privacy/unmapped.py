"""Apply the policy to JSON, in mapped and unmapped fields, at any depth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import unquote

import orjson

from ideas_pipeline.ideas_api.field_map import MISSING
from ideas_pipeline.privacy import personal
from ideas_pipeline.privacy.key import Key, is_hash
from ideas_pipeline.setting_types import KEEPS, Choice, Policy
from ideas_pipeline.tables.columns import Pii
from ideas_pipeline.text import json_text

Json = Any
VALUE = "@value"
# The class of a mapped field, or None. A ``key`` has no class and must not become null. A ``person_id`` never changes.
Kind = Pii | Literal["key"] | None

# JSON without any of these holds no address. It can escape an @, and be in UTF-16.
_SIGNS_OF_AN_ADDRESS = (b"@", b"u0040", b"%40", b"mail", b"MAIL", b"Mail", b"\x00")

_PHONE_WITHIN = re.compile(r"(?<![\w+])\+\d[\d\s().\-/]{6,20}\d(?!\w)")
_JSON = ("{", "[")
_REMOVED = "(removed)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a map stands.

    Attributes:
        person: whether its fields describe a person.
        texts: whether any text in it can repeat what somebody wrote, so that all texts are of the class free_text.
        within: whether it stands inside another map.
        kept: whether it stands in a field of a class that is kept. What is in it is kept too, unless it is of another
            class by its own name or shape.
    """

    person: bool = False
    texts: bool = False
    within: bool = False
    kept: bool = False

    def inside(self, *, people: bool) -> Place:
        """The place of a map below this one.

        ``people``: whether it describes a person, by the name of its field or by its own fields.
        """
        return Place(self.person or people, self.texts, within=True, kept=self.kept and not people)


@dataclass(slots=True)
class Described:
    """What a contract says of a map or a list.

    Attributes:
        fields: what each mapped field is. ``@value``: what the plain values of a list or a map are.
        place: where a row's own fields stand; None for a map on the way to a mapped field.
    """

    fields: dict[str, Kind] = field(default_factory=dict)
    place: Place | None = None


AllDescribed = Mapping[int, Described]  # by the ``id()`` of the map or list
_NOTHING: AllDescribed = MappingProxyType({})


class Cleaner:
    """Holds JSON to a policy.

    Dropped fields are removed, hashed texts replaced. What is of a class that is hashed and is not a text is removed.
    Ids of people stay. Applied again, it changes nothing.

    Args:
        policy: what is kept, hashed or dropped.
        key: hashes.
    """

    def __init__(self, policy: Policy, key: Key) -> None:
        self.policy = policy
        self._key = key
        self.keeps_all = policy == KEEPS
        self.only_addresses = replace(policy, email="keep") == KEEPS

    def fields(self, fields: dict[str, Json], place: Place, described: AllDescribed = _NOTHING) -> dict[str, Json]:
        """The map ``fields`` as it may be stored: the same object if nothing changes.

        Args:
            fields: the map.
            place: where it stands.
            described: the classes of the fields that a contract maps, in this map and in those below it.
        """
        if not fields or (not described and not self.may_change(_bytes(fields))):
            return fields
        cleaned: dict[str, Json] = self._map(fields, place, described)
        return fields if cleaned == fields else cleaned

    def items(self, items: list[Json], place: Place, described: AllDescribed) -> list[Json]:
        """A list of records, likewise."""
        cleaned = self._list(items, "", place, described)
        return items if cleaned == items else cleaned

    def may_change(self, document: bytes) -> bool:
        """Whether JSON can hold what must go. It is a quick look: most records do not hold an address."""
        if self.only_addresses:
            return any(sign in document for sign in _SIGNS_OF_AN_ADDRESS)
        return not self.keeps_all

    def stays(self, text: str) -> bool:
        """Whether a text in a column without a class certainly stays as it is: a quick look, like ``may_change``."""
        return self.policy.profile == "keep" and "@" not in text and not text.startswith(_JSON)

    def column(self, value: Json) -> Json:
        """A value of a column that is kept: maps and lists cleaned; None for a text that is an address by its shape."""
        try:
            is_way = isinstance(value, dict | list)
            kept = self._unclassified(value, "", Place(within=True), _NOTHING) if is_way else self._kept(value)
        except RecursionError:
            return value if _cannot_be_stored(value) else None  # a value that no database can hold is a reject
        return None if kept is MISSING else kept

    def text_hash(self, value: Json) -> str:
        """The hash of a value, which stays the same if it is a hash already."""
        text = value if isinstance(value, str) else _as_text(value)
        return text if is_hash(text) else self._key.word(text)

    def _map(self, fields: dict[str, Json], place: Place, described: AllDescribed) -> dict[str, Json]:
        found = described.get(id(fields))
        known = found.fields if found else {}
        if found and found.place:
            place = found.place
        elif not found and place.within and personal.describes_a_person(fields):
            place = place.inside(people=True)
        left: dict[str, Json] = {}
        for name, value in fields.items():
            if VALUE in known and not isinstance(value, dict | list):
                left[name] = self._plain(value, known[VALUE], described)
                continue
            if name in known:
                left[name] = self._described(name, value, known[name], described)
                continue
            kept_name = self._name(name, place)
            kept = MISSING if kept_name is None else self._field(name, value, place, described)
            if kept is not MISSING and kept_name is not None:
                left[kept_name] = kept
        return left

    def _described(self, name: str, value: Json, of: Kind, described: AllDescribed) -> Json:
        """A mapped field. One that is dropped becomes null, so that the record still has it."""
        if isinstance(value, dict | list) and of in (None, "key", "person_id"):
            kept = self._unclassified(value, name, Place(), described)
        elif of == "person_id":
            return value
        else:
            kept = self._kept(value) if of is None or of == "key" else self._apply(of, value)
        if kept is MISSING:
            return self.text_hash(value) if of == "key" else None
        return kept

    def _plain(self, value: Json, of: Kind, described: AllDescribed) -> Json:
        """A plain value of a mapped list or map. One that is dropped becomes an empty text: it keeps its place."""
        kept = self._described("", value, of, described)
        return "" if kept is None and value is not None else kept

    def _name(self, name: str, place: Place) -> str | None:
        """The name of a field, which can be personal itself: in a map by address, or by name."""
        of = self._shape(name)
        if of is None and place.person and (" " in name.strip() or not name.isascii()):
            of = "name"
        if of is None:
            return name
        kept = self._unmapped(of, name)
        return None if kept is MISSING else kept

    def _field(self, name: str, value: Json, place: Place, described: AllDescribed) -> Json:
        if value is None or isinstance(value, bool):
            return value
        of = self._class_of(name, value, place)
        if of is None:
            return self._unclassified(value, name, place, described)
        if getattr(self.policy, of) != "keep":
            return self._unmapped(of, value)
        person = place.person or (of == "profile" and personal.holds_people(name, as_a_list=isinstance(value, list)))
        return self._unclassified(value, "", Place(person, within=True, kept=True), _NOTHING)

    def _class_of(self, name: str, value: Json, place: Place) -> Pii | None:
        """The class of a field that no contract describes, by its name and its place; None if they do not say."""
        of = personal.class_of_name(name)
        if of == "profile" or (of is not None and _says_words(value)):
            return of
        is_way = isinstance(value, dict | list)
        if place.person and not personal.is_id(name) and not (is_way and personal.holds_people(name, as_a_list=True)):
            if personal.is_bare_name(name) and _says_words(value):
                return "name"
            # What stands under a hash was held to the policy before.
            if self.policy.profile != "keep" and not place.kept and not is_way and not is_hash(name):
                return "profile"
        if isinstance(value, str) and personal.names_who(name) and not personal.looks_like_an_id(value):
            return "name"
        wrote = place.texts or personal.is_text(name, within_a_map=place.within)
        if wrote and _says_words(value) and (not is_way or not place.texts):
            return "free_text"
        return None

    def _unclassified(self, value: Json, name: str, place: Place, described: AllDescribed) -> Json:
        if isinstance(value, dict):
            people = personal.holds_people(name, as_a_list=False)
            return self._inner(value, place.inside(people=people), described)
        if isinstance(value, list):
            return self._list(value, name, place, described)
        if isinstance(value, str):
            return self._by_shape(value)
        return value

    def _inner(self, fields: dict[str, Json], place: Place, described: AllDescribed) -> Json:
        """A map in a map or a list; MISSING if nothing is left of it and no contract reads it, as in ``field_map``."""
        left = self._map(fields, place, described)
        return left if left or not fields or id(fields) in described else MISSING

    def _list(self, items: list[Json], name: str, place: Place, described: AllDescribed) -> list[Json]:
        inside = place.inside(people=personal.holds_people(name, as_a_list=True))
        names = personal.names_who(name) or (inside.person and not inside.kept and not personal.is_id(name))
        of_values = described.get(id(items))
        left = []
        for item in items:
            if of_values and not isinstance(item, dict | list):
                kept = self._plain(item, of_values.fields[VALUE], described)
            elif isinstance(item, str) and names and self.policy.name != "keep" and not personal.looks_like_an_id(item):
                kept = self._unmapped("name", item)
            elif isinstance(item, str) and inside.texts and self.policy.free_text != "keep":
                kept = self._unmapped("free_text", item)
            elif isinstance(item, dict):
                kept = self._inner(item, inside, described)
            else:
                kept = self._unclassified(item, name, inside, described)
            if kept is not MISSING:
                left.append(kept)
        return left

    def _shape(self, text: str) -> Pii | None:
        """The class of a text by its shape, if this class is not kept."""
        if "@" not in text and self.policy.profile == "keep":
            return None
        of = personal.class_of_shape(text)
        return None if of is None or getattr(self.policy, of) == "keep" else of

    def _by_shape(self, text: str) -> Json:
        kept = self._json_within(text)
        if kept is not text:
            return kept
        of = self._shape(text)
        if of is not None:
            return self._unmapped(of, text)
        if self.policy.email != "keep" and "@" in text:
            text = personal.ADDRESS.sub(lambda found: self._within(found[0], self.policy.email), text)
        if self.policy.email != "keep" and "%40" in text:
            text = personal.ENCODED_ADDRESS.sub(lambda found: self._within(unquote(found[0]), self.policy.email), text)
        if self.policy.profile != "keep" and "+" in text:
            text = _PHONE_WITHIN.sub(lambda found: self._within(found[0], self.policy.profile), text)
        return text

    def _json_within(self, text: str) -> Json:
        """``text`` with what it holds cleaned, if it is JSON: a map in a column of texts is stored like that.

        The same object if nothing changes; MISSING if nothing is left.
        """
        if not text.startswith(_JSON):
            return text
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        cleaned = self._unclassified(value, "", Place(within=True), _NOTHING)
        if cleaned is MISSING:
            return MISSING
        return text if cleaned == value else _as_text(cleaned)

    def _within(self, found: str, choice: Choice) -> str:
        return self._key.word(found) if choice == "hash" else _REMOVED

    def _unmapped(self, of: Pii, value: Json) -> Json:
        """A value that no contract maps. Of addresses, ``field_map`` keeps not even a hash."""
        return MISSING if of == "email" and self.policy.email != "keep" else self._apply(of, value)

    def _apply(self, of: Pii, value: Json) -> Json:
        """``value`` of the class ``of`` as it may be stored; MISSING if it may not."""
        choice: Choice = getattr(self.policy, of)
        if choice == "keep":
            return self._kept(value)
        if choice == "drop":
            return MISSING
        return self.text_hash(value) if isinstance(value, str | dict | list) else MISSING

    def _kept(self, value: Json) -> Json:
        """A value of a class that is kept. What it holds can be of another class that is not."""
        if isinstance(value, dict):
            return self._map(value, Place(within=True), _NOTHING)
        if isinstance(value, list):
            return self._list(value, "", Place(within=True), _NOTHING)
        if not isinstance(value, str):
            return value
        kept = self._json_within(value)
        if kept is not value:
            return kept
        of = self._shape(value)
        return value if of is None else self._apply(of, value)


def says_no_words(value: object) -> bool:
    """Whether a value cannot hold a text."""
    return value is None or isinstance(value, bool | int | float)


def _says_words(value: Json) -> bool:
    """Whether there is a text anywhere in ``value``."""
    if isinstance(value, dict):
        return any(_says_words(item) for item in value.values())
    if isinstance(value, list):
        return any(_says_words(item) for item in value)
    return isinstance(value, str)


def _bytes(value: Json) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _SIGNS_OF_AN_ADDRESS[0]  # it has to be looked at more closely


def _cannot_be_stored(value: Json) -> bool:
    try:
        json_text(value)
    except ValueError:
        return True
    return False


def _as_text(value: Json) -> str:
    try:
        return json_text(value)
    except ValueError:
        return ""
