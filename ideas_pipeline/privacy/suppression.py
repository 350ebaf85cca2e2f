"""The suppression list: the erased people of a community, as keyed hashes. It outlives the warehouse."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from ideas_pipeline import private_file
from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.privacy.key import Key, is_hash, is_surrogate
from ideas_pipeline.tables.bookkeeping import ERASURES
from ideas_pipeline.text import decode_entities
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction

Command = Literal["erase", "sync"]

# Why a person is listed: an operator asked, for ever; or the source deleted the account, until it is there again.
Because = Literal["asked", "deleted at the source", "there again"]

_LONGEST_WORD = 320  # the longest address that there can be; names are shorter
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One erased person of one community.

    Attributes:
        community: the community.
        surrogate: what replaces the person's id.
        at: when the erasure was decided; timezone-aware.
        because: why.
        texts: whether what the person wrote is erased, too.
        words: hashes of the person's names and addresses.
    """

    community: str
    surrogate: str
    at: datetime
    because: Because
    texts: bool = False
    words: frozenset[str] = frozenset()

    @property
    def in_force(self) -> bool:
        return self.because != "there again"


def forms(text: str) -> set[str]:
    """A name as it is, and as it is without HTML entities and with composed letters: one ``á``, not ``a`` and ``´``."""
    return {text, unicodedata.normalize("NFC", decode_entities(text))}


class SuppressionList:
    """The people of ``community`` who are kept out, as listed in ``file``.

    Threads and processes share the file: what one of them adds, the others see at their next ``refresh``. Without a
    file, the list is empty, and nobody can be added.
    """

    def __init__(self, community: str, key: Key, file: Path | None) -> None:
        self.community = community
        self.key = key
        self._file = file
        self._lock = threading.Lock()
        self._read_as: tuple[int, ...] | None = None
        self._all: dict[tuple[str, str], Suppressed] = {}
        self._ours: dict[str, Suppressed] = {}
        self._words: frozenset[str] = frozenset()
        self.refresh()

    def __bool__(self) -> bool:
        return bool(self._ours)

    @property
    def was_ever_used(self) -> bool:
        """Whether anybody of any community is or was on the list."""
        return bool(self._all)

    def refresh(self) -> None:
        """Read the list again if its file has changed. Raises PrivacyError if it cannot be used."""
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        state = (found.st_mtime_ns, found.st_ino, found.st_size)
        if state != self._read_as:
            with self._lock:
                self._take(_read(self._file, self.key))
                self._read_as = state

    def surrogate(self, person: str) -> str | None:
        """The surrogate of ``person`` if the person is erased, otherwise None. A surrogate is returned as it is."""
        if is_surrogate(person):
            return person
        made = self.key.surrogate(self.community, person)
        return made if made in self._ours else None

    def hides_texts(self, surrogate: str) -> bool:
        """Whether the texts of this erased person are erased, too."""
        return surrogate in self._ours and self._ours[surrogate].texts

    def is_word(self, text: str) -> bool:
        """Whether ``text`` is exactly a name or an address of an erased person."""
        if not self._words or not 0 < len(text) <= _LONGEST_WORD:
            return False
        return any(self._word(form) in self._words for form in forms(text))

    def _word(self, text: str) -> str:
        """The hash of a text as the list has it. A policy may have hashed the text already."""
        return text if is_hash(text) else self.key.word(text)

    def entry_of(self, surrogate: str) -> Suppressed | None:
        """The entry of a person; None if the person is not listed."""
        return self._ours.get(surrogate)

    def is_back(self, surrogate: str) -> bool:
        """Whether a person was taken off the list, because the source has the account again."""
        entry = self._all.get((self.community, surrogate))
        return entry is not None and not entry.in_force

    def asked_as(self, text: str) -> Suppressed | None:
        """The entry of a person who asked for erasure and has ``text`` as a name or an address."""
        word = self._word(text)
        return next((e for e in self._ours.values() if e.because == "asked" and word in e.words), None)

    def supposing(self, person: str, words: Iterable[str], *, texts: bool) -> SuppressionList:
        """A copy of the list with ``person`` on it, in memory only."""
        supposed = SuppressionList(self.community, self.key, None)
        entry = self.entry(person, words, texts=texts)
        supposed._take(self._all | {(entry.community, entry.surrogate): entry})
        return supposed

    def entries(self) -> list[Suppressed]:
        """All entries of this community, those of people who came back included."""
        with self._lock:
            return [e for e in self._all.values() if e.community == self.community]

    def add(self, person: str, words: Iterable[str], *, because: Because = "asked", texts: bool = False) -> Suppressed:
        """Put a person on the list. It is on disk when this returns.

        Args:
            person: the person's id at the source.
            words: hashes of the person's names and addresses (see ``Key.word``).
            because: why the person is listed.
            texts: whether the texts of the person are erased, too.

        Raises:
            PrivacyError: the list cannot be written.
        """
        entry = self.entry(person, words, because=because, texts=texts)
        self.merge([entry])
        return self._all[entry.community, entry.surrogate]

    def entry(
        self, person: str, words: Iterable[str], *, because: Because = "asked", texts: bool = False
    ) -> Suppressed:
        """The entry that ``add`` makes. To list many people, ``merge`` their entries: the file is written once."""
        surrogate = self.key.surrogate(self.community, person)
        return Suppressed(self.community, surrogate, datetime.now(UTC), because, texts, frozenset(words))

    def merge(self, entries: Iterable[Suppressed]) -> None:
        """Add entries. Of two entries of a person the later decision counts; their names and addresses add up."""
        if self._file is None:
            raise PrivacyError("Nobody can be erased without a place for the list. Set IDEAS_STATE_DIR.")
        with self._writing() as listed:
            before = dict(listed)
            for entry in entries:
                known = listed.get((entry.community, entry.surrogate))
                listed[entry.community, entry.surrogate] = entry if known is None else _joined(known, entry)
            if listed != before:
                _replace(self._file, listed, self.key)
        self.refresh()

    @contextmanager
    def _writing(self) -> Iterator[dict[tuple[str, str], Suppressed]]:
        assert self._file  # noqa: S101 - merge has looked
        try:
            private_file.make_folder(self._file.parent)
            with private_file.lock(self._file.with_name(f"{self._file.name}.lock")).acquire(timeout=_LONGEST_WAIT):
                yield _read(self._file, self.key)
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or "another process holds it"
            raise PrivacyError(f"The list of erased people {self._file} cannot be written: {why}.") from None

    def _take(self, listed: dict[tuple[str, str], Suppressed]) -> None:
        ours = {s: e for (community, s), e in listed.items() if community == self.community and e.in_force}
        self._all, self._ours = listed, ours
        self._words = frozenset().union(*(e.words for e in ours.values()))


def _joined(known: Suppressed, entry: Suppressed) -> Suppressed:
    # Once an operator has asked, the person stays listed, whatever happens at the source.
    latest = max(known, entry, key=lambda e: (e.because == "asked", e.at))
    if not latest.in_force:
        return latest
    return replace(latest, texts=known.texts or entry.texts, words=known.words | entry.words)


def _read(file: Path, key: Key) -> dict[tuple[str, str], Suppressed]:
    try:
        stored: Any = orjson.loads(private_file.read(file))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _unusable(file, error.strerror or "unknown reason") from None
    except ValueError:
        raise _unusable(file, "it is damaged") from None
    try:
        match stored:
            case {"key": str(made_with), "people": list(people)}:
                entries = [_entry(person) for person in people]
            case _:
                raise ValueError
    except ValueError:
        raise _unusable(file, "it is damaged, or a newer version wrote it") from None
    if made_with != key.fingerprint:
        raise other_key(str(file))
    return {(e.community, e.surrogate): e for e in entries}


def _entry(stored: object) -> Suppressed:
    """An entry as ``_replace`` wrote it.

    Raises ValueError for any other: if a part of it were ignored, its person could return.
    """
    match stored:
        case {
            "community": str(community),
            "surrogate": str(surrogate),
            "at": str(at),
            "because": "asked" | "deleted at the source" | "there again" as because,
            "texts": bool(texts),
            "words": list(words),
            **more,
        } if not more and is_surrogate(surrogate) and all(isinstance(word, str) for word in words):
            return Suppressed(community, surrogate, utc(datetime.fromisoformat(at)), because, texts, frozenset(words))
    raise ValueError


def _unusable(file: Path, why: str) -> PrivacyError:
    return PrivacyError(
        f"The list of erased people {file} cannot be read: {why}. Nothing is read or written without it, because people"
        " on it could return. Restore it from a backup. If there is none, move it away: the next sync takes the list"
        f" from the table {ERASURES.name} of the warehouse."
    )


def other_key(where: str) -> PrivacyError:
    """The error for a list that was made with another key."""
    return PrivacyError(
        f"The list of erased people in {where} was made with another key, so that nobody on it would be recognised."
        " Restore that key (IDEAS_PII_KEY, or pii.key in IDEAS_STATE_DIR); until then nothing is read or written."
    )


def _replace(file: Path, listed: dict[tuple[str, str], Suppressed], key: Key) -> None:
    people = [{**asdict(e), "at": e.at.isoformat(), "words": sorted(e.words)} for e in listed.values()]
    content = orjson.dumps({"key": key.fingerprint, "people": people}, option=orjson.OPT_INDENT_2)
    private_file.replace(file, content)


def listed(tx: Transaction, key: Key) -> list[Suppressed]:
    """The list as the warehouse has it. Raises PrivacyError if it was made with another key."""
    rows = tx.execute(sa.select(ERASURES).where(tx.owns(ERASURES))).all()
    if any(row.key_fingerprint != key.fingerprint for row in rows):
        raise other_key(f"the table {ERASURES.name} of the warehouse")
    return [
        Suppressed(row.community, row.surrogate, utc(row.erased_at), row.because, bool(row.texts), frozenset(row.words))
        for row in rows
    ]


def note(
    tx: Transaction,
    entries: Iterable[Suppressed],
    key: Key,
    command: Command,
    at: datetime,
    rows: Mapping[str, int],
) -> None:
    """Add a row per entry to `_erasures`.

    Args:
        tx: the transaction.
        entries: who was erased.
        key: the key of the list.
        command: what erased them.
        at: when; timezone-aware.
        rows: number of changed rows, by table.
    """
    lines = [
        {
            "community": entry.community,
            "surrogate": entry.surrogate,
            "erased_at": utc(entry.at),
            "applied_at": utc(at),
            "because": entry.because,
            "command": command,
            "texts": entry.texts,
            "words": sorted(entry.words),
            "key_fingerprint": key.fingerprint,
            "rows": dict(rows),
        }
        for entry in entries
    ]
    if lines:
        tx.execute(sa.insert(ERASURES), lines)


def tables_of(tx: Transaction, surrogate: str) -> set[str]:
    """The tables from which a person was ever erased."""
    found = sa.select(ERASURES.c.rows).where(tx.owns(ERASURES), ERASURES.c.surrogate == surrogate)
    return {table for rows in tx.scalars(found) for table in rows or {}}
