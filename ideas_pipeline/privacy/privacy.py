"""People's data on its way into the warehouse, and out of it: what the other packages need of this one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from ideas_pipeline.archive.files import ArchivedPage
from ideas_pipeline.archive.rewrite import rewrite
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import ArchiveInUse, PrivacyError
from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy import suppression
from ideas_pipeline.privacy.account_changes import deleted_accounts, learn, words_of
from ideas_pipeline.privacy.erase_rows import people_in, scrub
from ideas_pipeline.privacy.key import Key, is_surrogate
from ideas_pipeline.privacy.policy import apply as apply_policy
from ideas_pipeline.privacy.policy import make_allowed, not_as_allowed
from ideas_pipeline.privacy.redact import Blanker, People
from ideas_pipeline.privacy.redact_pages import ArchivedPages
from ideas_pipeline.privacy.suppression import Because, Erased, ErasedPeople
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.vacuum import compact
from ideas_pipeline.warehouse.warehouse import Warehouse

KEY_FILE = "pii.key"
LIST_FILE = "suppressed.json"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure came to. ``rows``: blanked rows by table. ``pages``: archived pages that were changed.

    ``left``: sentences that say what could not be done yet, and what to do.
    """

    surrogate: str
    rows: Mapping[str, int]
    pages: int
    left: tuple[str, ...] = ()


class Privacy:
    """The policy for a community's personal data, and its list of erased people.

    ``folder``: where key and list are kept (IDEAS_STATE_DIR); without one, nobody can be erased or hashed.
    ``key``: IDEAS_PII_KEY, where it is set. ``archive``: the folder of the community's raw pages, if there are any.
    ``erases_deleted``: whether ``erase_deleted`` does anything.
    Raises PrivacyError where there is a list and it cannot be used.
    """

    def __init__(
        self,
        contract: Contract,
        community: str,
        policy: Policy = Policy(),  # noqa: B008 - it is frozen, so all callers may share it
        *,
        folder: Path | None = None,
        key: str | None = None,
        archive: Path | None = None,
        erases_deleted: bool = True,
    ) -> None:
        self._contract = contract
        self._community = community
        self._policy = policy
        self._archive = archive
        self._erases_deleted = erases_deleted and folder is not None
        self._key = Key(key, folder / KEY_FILE if folder else None)
        self._people = People.of(contract)
        self._erased = ErasedPeople(community, self._key, folder / LIST_FILE if folder else None)
        self._blanker = Blanker(self._people, self._erased)
        self._pages = ArchivedPages(contract, self._blanker)
        self._begun_with: list[Erased] = []

    # -- on the way in

    def apply(self, stream: str, page: Page) -> Page:
        """``page`` as it may be stored: without erased people, and as the policy says. Called from many threads."""
        self._erased.refresh()
        if self._erased:
            if stream == "users":
                learn(self._erased, page)
            for record in page.records:
                self._blanker.record(stream, record)
        for table in (stream, *self._contract.streams[stream].embedded):
            records = page.records if table == stream else [r for p in page.records for r in p.embedded.get(table, ())]
            apply_policy(self._policy, self._key, table, records)
        return page

    def redacted(self, page: ArchivedPage) -> ArchivedPage | None:
        """``page`` as it may be archived, without erased people; None if it may not. Called from many threads."""
        return self._pages.page(page) if self._erased else page

    def reads(self, stream: str, scope: str) -> bool:
        """Whether a list can be asked for: the source knows no surrogates."""
        return not (stream in self._people.scopes and is_surrogate(scope))

    # -- around a run

    def begin(self, warehouse: Warehouse) -> None:
        """Brings list and warehouse in line: where a backup was restored, or a run was killed that had read of somebody
        before the erasure, who came back with it is blanked again. What is stored and may no longer be goes as well.

        Raises PrivacyError where people are listed whom this key cannot recognise; WarehouseError.
        """
        self._settle(warehouse, again=False)
        if self._erased and self._is_anybody_back(warehouse):
            self._settle(warehouse, again=True)
        self._hold_to_policy(warehouse)
        self._begun_with = self._erased.entries()

    def finish(self, warehouse: Warehouse) -> None:
        """The same at the end of a run, for those who were erased while it loaded what it had read before."""
        self._erased.refresh()
        if self._erased.entries() != self._begun_with:
            self._settle(warehouse, again=True)

    def erase_deleted(self, warehouse: Warehouse) -> int:
        """Erases whom the source has deleted (see ``deleted_accounts``); returns how many. For the end of a full run
        that proved ``users`` and whatever names them. An account that is there again is let in again."""
        if not self._erases_deleted:
            return 0
        with warehouse.reading() as tx:
            people = deleted_accounts(tx)
        if people:
            because: Because = "deleted at the source"
            self._erased.merge(
                self._erased.entry(id_, words_of(self._key, names), because=because) for id_, *names in people
            )
            self._settle(warehouse, again=False)
        return len(people)

    def _settle(self, warehouse: Warehouse, *, again: bool) -> None:
        self._erased.refresh()
        with warehouse.reading() as tx:
            there = suppression.listed(tx, self._key)
        known = {(e.surrogate, e.at): e for e in self._erased.entries()}
        if any(known.get((e.surrogate, e.at)) is None for e in there):
            self._erased.merge(there)
        applied = {(e.surrogate, e.at) for e in there}
        missing = [e for e in self._erased.entries() if (e.surrogate, e.at) not in applied]
        if missing or (again and self._erased):
            rows = self._apply(warehouse, missing, "sync")
            if rows:
                compact(warehouse, rows.keys())
                # The pages of a run that is under way come last, and hold only who was not erased when it began.
                with suppress(ArchiveInUse, OSError):
                    self._rewrite()

    def _hold_to_policy(self, warehouse: Warehouse) -> None:
        with warehouse.reading() as tx:
            columns = not_as_allowed(tx, self._policy)
        if columns:
            with warehouse.writing() as tx:
                tables = make_allowed(tx, columns, self._key, datetime.now(UTC))
            compact(warehouse, tables)

    def _is_anybody_back(self, warehouse: Warehouse) -> bool:
        with warehouse.reading() as tx:
            return bool(people_in(tx, self._blanker))

    def _apply(self, warehouse: Warehouse, entries: Collection[Erased], command: suppression.Command) -> dict[str, int]:
        at = datetime.now(UTC)
        with warehouse.writing() as tx:
            rows = scrub(tx, self._contract, self._blanker, at)
            suppression.note(tx, entries, self._key, command, at, rows)
        return rows

    # -- on demand

    def person_with(self, warehouse: Warehouse, address: str) -> str | None:
        """The id of the person with this e-mail address, where addresses are stored as they are or hashed."""
        users, word = TABLES["users"], self._key.word(address)
        query = sa.select(users.c.id, users.c.email).where(
            users.c.community == self._community, users.c.email.is_not(None)
        )
        with warehouse.reading() as tx:
            rows = tx.execute(query).all()
        return next((id_ for id_, email in rows if word in (email, self._key.word(email))), None)

    def would_erase(self, warehouse: Warehouse, person: str, *, texts: bool = False) -> dict[str, int]:
        """How many rows ``erase`` would blank, by table. Changes nothing."""
        supposed = self._erased.supposing(person, self._words(warehouse, person), texts=texts)
        blanker = Blanker(self._people, supposed)
        with warehouse.writing() as tx:
            rows = scrub(tx, self._contract, blanker, datetime.now(UTC))
            tx.connection.rollback()
        return rows

    def erase(
        self, warehouse: Warehouse, person: str, *, texts: bool = False, also_known_as: Collection[str] = ()
    ) -> Erasure:
        """Erases ``person`` (an id) from the warehouse and the archive, and keeps the person out from now on.

        ``texts``: what the person wrote, too. ``also_known_as``: names or addresses that are not stored.
        Whatever interrupts it, the next run or the same call completes it. Raises PrivacyError, WarehouseError.
        """
        if is_surrogate(person):
            raise PrivacyError(f"{person} stands for a person who was erased already.")
        words = self._words(warehouse, person) | words_of(self._key, also_known_as)
        entry = self._erased.add(person, words, texts=texts)
        rows = self._apply(warehouse, [entry], "erase")
        with warehouse.reading() as tx:
            tables = suppression.tables_of(tx, entry.surrogate)
        left = [said] if (said := compact(warehouse, tables)) else []
        pages = 0
        try:
            pages = self._rewrite()
        except (ArchiveInUse, OSError) as error:
            left.append(f"The archive still holds the person: {error} Then run the same command again.")
        return Erasure(entry.surrogate, rows, pages, tuple(left))

    def _rewrite(self) -> int:
        return rewrite(self._archive, self._pages.page) if self._archive and self._archive.is_dir() else 0

    def _words(self, warehouse: Warehouse, person: str) -> set[str]:
        users = TABLES["users"]
        query = sa.select(users.c.display_name, users.c.email).where(
            users.c.community == self._community, users.c.id == person
        )
        with warehouse.reading() as tx:
            return words_of(self._key, [value for row in tx.execute(query) for value in row])
