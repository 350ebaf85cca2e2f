"""The policy and the suppression list of one community, as the other packages use them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import sqlalchemy as sa

from ideas_pipeline.archive.files import ArchivedPage, unusable
from ideas_pipeline.archive.rewrite import rewrite
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import ArchiveInUse, PrivacyError
from ideas_pipeline.ideas_api.pagination import Page
from ideas_pipeline.privacy import account_changes, archives, suppression
from ideas_pipeline.privacy.archives import Archive
from ideas_pipeline.privacy.erase_rows import erase_rows, people_in
from ideas_pipeline.privacy.key import Key, is_surrogate
from ideas_pipeline.privacy.page_places import Places
from ideas_pipeline.privacy.policy import apply as apply_policy
from ideas_pipeline.privacy.policy_pages import PolicyPages
from ideas_pipeline.privacy.readmit_rows import erased_among, readmit_rows
from ideas_pipeline.privacy.redact import People, Redactor
from ideas_pipeline.privacy.redact_pages import ArchivedPages
from ideas_pipeline.privacy.stored_policy import RULES, hold_rows, looser, policy_in_force, policy_mark
from ideas_pipeline.privacy.suppression import Because, Suppressed, SuppressionList
from ideas_pipeline.privacy.unmapped import Cleaner
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.vacuum import compact
from ideas_pipeline.warehouse.warehouse import Warehouse

KEY_FILE = "pii.key"
LIST_FILE = "suppressed.json"


@dataclass(frozen=True, slots=True)
class Erasure:
    """The result of an erasure.

    Attributes:
        surrogate: what stands for the person from now on.
        rows: number of changed rows, by table.
        pages: number of archived pages that were changed or deleted.
        left: sentences that say what could not be done yet, and what to do.
    """

    surrogate: str
    rows: Mapping[str, int]
    pages: int
    left: tuple[str, ...] = ()


class Privacy:
    """The policy for a community's personal data, and its suppression list.

    Args:
        contract: says which fields name a person.
        community: the community.
        policy: what is kept, hashed or dropped.
        folder: holds the key and the list (IDEAS_STATE_DIR); without it, nobody can be erased and nothing hashed.
        key: IDEAS_PII_KEY, if it is set.
        archive: the archive of the community, if there is one.
        erases_deleted: whether ``erase_deleted`` does anything.

    Attributes:
        readmitted: whether people who were erased have come back in this run (see ``readmit``).

    Raises:
        PrivacyError: there is a suppression list, and it cannot be used.
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
        self.mark = policy_mark(policy)
        self._archive = Archive(archive) if archive else None
        self._erases_deleted = erases_deleted and folder is not None
        self._key = Key(key, folder / KEY_FILE if folder else None)
        self._people = People.of(contract)
        self._erased = SuppressionList(community, self._key, folder / LIST_FILE if folder else None)
        self._redactor = Redactor(self._people, self._erased)
        self._pages = ArchivedPages(contract, self._redactor)
        self._cleaner = Cleaner(policy, self._key)
        self._policy_pages = PolicyPages(contract, self._cleaner)
        self._places = Places(contract)
        self._begun_with: list[Suppressed] = []
        self._back: dict[str, str] = {}
        self._lock = Lock()  # guards `_back`: many threads add to it, and one takes it
        self.readmitted = False

    # -- on the way in

    def apply(self, stream: str, page: Page) -> Page:
        """Remove erased people from ``page``, apply the policy, and return it. Called from many threads."""
        self._erased.refresh()
        if stream == "users" and self._erased.was_ever_used:
            back = account_changes.note_account_changes(self._erased, page)
            with self._lock:
                self._back |= back
        if self._erased:
            for record in page.every:
                self._redactor.record(stream, record)
        for table in (stream, *self._contract.streams[stream].embedded):
            records = page.every if table == stream else [r for p in page.every for r in p.embedded.get(table, ())]
            apply_policy(self._cleaner, table, records)
        return page

    def redacted(self, page: ArchivedPage) -> ArchivedPage | None:
        """``page`` as it may be archived: without erased people, held to the policy. None if it may not be archived.

        Called from many threads.
        """
        kept = self._without_erased(page) if self._erased else page
        return kept and self._held_to_policy(kept)

    def _held_to_policy(self, page: ArchivedPage) -> ArchivedPage | None:
        if self._cleaner.keeps_all:
            return page
        hidden = self._places.page(page)
        return hidden and self._policy_pages.page(hidden)

    def _without_erased(self, page: ArchivedPage) -> ArchivedPage | None:
        hidden = self._places.page(page)  # a cursor or a link can name the person
        return hidden and self._pages.page(hidden)

    def reads(self, stream: str, scope: str) -> bool:
        """Whether a scope can be requested: the API does not know surrogates."""
        return not (stream in self._people.scopes and is_surrogate(scope))

    # -- around a run

    def begin(self, warehouse: Warehouse) -> list[str]:
        """Bring the warehouse in line with the suppression list and the policy, before a run.

        People can be back in the warehouse: a backup was restored, or a run was killed that had read a page before the
        erasure. They are erased again. If the policy has changed, what it no longer allows is dropped or hashed in
        every table and in the archive.

        Returns:
            Sentences for people about what was done, and what a looser policy does not bring back.

        Raises:
            PrivacyError: the list was made with another key, which is needed to recognise its people.
            WarehouseError: the warehouse cannot be read or written.
        """
        self._apply_list(warehouse, again=False)
        if self._erased and self._is_anybody_back(warehouse):
            self._apply_list(warehouse, again=True)
        notes = self._hold_to_policy(warehouse)
        self._begun_with = self._erased.entries()
        return notes

    def free_archive(self, warehouse: Warehouse) -> list[str]:
        """Note that a run begins to archive pages here, and free the archive from people who were erased elsewhere.

        Call it before the run archives its first page.

        Returns:
            Sentences for people about what could not be done.

        Raises:
            PrivacyError: the list was made with another key.
            WarehouseError: the warehouse cannot be read or written.
        """
        if self._archive is None:
            return []
        try:
            with warehouse.reading() as tx:
                if archives.is_noted(tx, self._archive):
                    return []
            with warehouse.writing() as tx:
                so_far = archives.erasures(tx)
                is_behind = archives.note(tx, self._archive)
            if is_behind:
                self._apply_list(warehouse, again=False)
                self._rewrite()
                archives.note_freed(warehouse, self._archive, so_far)
        except (ArchiveInUse, OSError) as error:
            return [f"The archive of this machine can still hold people who were erased elsewhere: {_what(error)}"]
        return []

    def other_archives(self, warehouse: Warehouse) -> list[str]:
        """The places of this community's archives on other machines. Raises WarehouseError."""
        return archives.elsewhere(warehouse, self._archive)

    def finish(self, warehouse: Warehouse) -> None:
        """Erase again, at the end of a run, who was erased while the run was loading earlier pages."""
        self._erased.refresh()
        if self._erased.entries() != self._begun_with:
            self._apply_list(warehouse, again=True)

    def readmit(self, warehouse: Warehouse) -> None:
        """Give people whom the source deleted and has again their own ids back, so that each is one row.

        Call it before their records are loaded. It sets ``readmitted`` if there were such people: their names are
        blanked in rows whose scopes seem unchanged, so everything has to be read again.
        """
        with self._lock:
            back, self._back = self._back, {}
        if not back:
            return
        with warehouse.reading() as tx:
            back = erased_among(tx, back)
        if back:
            with warehouse.writing() as tx:
                readmit_rows(tx, self._people, back, datetime.now(UTC))
            self.readmitted = True

    def erase_deleted(self, warehouse: Warehouse) -> int:
        """Erase people whose accounts were deleted at the source (see ``deleted_accounts``). Returns how many.

        Call it at the end of a full run in which ``users`` and all streams that name people are complete. An account
        that comes back is taken off the suppression list.
        """
        if not self._erases_deleted:
            return 0
        with warehouse.reading() as tx:
            people = account_changes.deleted_accounts(tx)
        if people:
            because: Because = "deleted at the source"
            self._erased.merge(
                self._erased.entry(id_, account_changes.words_of(self._key, names), because=because)
                for id_, *names in people
            )
            self._apply_list(warehouse, again=False)
        return len(people)

    def _merge_list_of(self, warehouse: Warehouse) -> list[Suppressed]:
        """Add the people on the warehouse's list to the list of this machine. Returns the warehouse's."""
        self._erased.refresh()
        with warehouse.reading() as tx:
            there = suppression.listed(tx, self._key)
        known = {(e.surrogate, e.at) for e in self._erased.entries()}
        if any((e.surrogate, e.at) not in known for e in there):
            self._erased.merge(there)
        return there

    def _apply_list(self, warehouse: Warehouse, *, again: bool) -> None:
        there = self._merge_list_of(warehouse)
        applied = {(e.surrogate, e.at) for e in there}
        missing = [e for e in self._erased.entries() if (e.surrogate, e.at) not in applied]
        if missing or (again and self._erased):
            with warehouse.reading() as tx:
                named = account_changes.named_since(tx, self._erased, people_in(tx, self._redactor))
            if named:
                self._erased.merge(named)
            rows = self._erase_rows(warehouse, [*missing, *named], "sync")
            if rows:
                compact(warehouse, rows.keys())
                # A run that is under way archives pages without people who were erased before it began.
                with suppress(ArchiveInUse, OSError):
                    self._rewrite()

    def _hold_to_policy(self, warehouse: Warehouse) -> list[str]:
        """Hold what is stored to the policy if it was held to another one. Returns sentences about what was done."""
        with warehouse.reading() as tx:
            before, rules = policy_in_force(tx)
        rows: dict[str, int] = {}
        notes = []
        if (before, rules) != (self._policy, RULES):
            with warehouse.writing() as tx:
                rows = hold_rows(tx, self._cleaner, datetime.now(UTC))
            if rows and (left := compact(warehouse, rows.keys())):
                notes.append(left)
            if rules and (more := looser(self._policy, before)):
                names = ", ".join(f"IDEAS_PII_{name.upper()}" for name in more)
                notes.append(
                    f"{names}: more is kept than before. What was dropped or hashed comes back with"
                    " `ideas-pipeline sync --full` only, and only as far as the API still has it."
                )
        pages = 0
        try:
            pages = self._hold_archive()
        except (ArchiveInUse, OSError) as error:
            notes.append(
                f"The archive is not held to the policy for personal data: {_what(error)} The next sync tries again."
            )
        if rows or pages:
            of = ", ".join(f"{count:,} of {table}" for table, count in rows.items())
            notes.insert(
                0,
                "The policy for personal data (IDEAS_PII_…) was applied to what was stored already: "
                f"{f'rows: {of}; ' if of else ''}archived pages: {pages:,}.",
            )
        return notes

    def _hold_archive(self) -> int:
        if not self._archive or not self._archive.folder.is_dir() or self._cleaner.keeps_all:
            return 0
        return rewrite(self._archive.folder, self._held_to_policy, self.mark)

    def _is_anybody_back(self, warehouse: Warehouse) -> bool:
        with warehouse.reading() as tx:
            return bool(people_in(tx, self._redactor))

    def _erase_rows(
        self, warehouse: Warehouse, entries: Collection[Suppressed], command: suppression.Command
    ) -> dict[str, int]:
        at = datetime.now(UTC)
        with warehouse.writing() as tx:
            rows = erase_rows(tx, self._contract, self._redactor, at)
            suppression.note(tx, entries, self._key, command, at, rows)
        return rows

    # -- on demand

    def person_with(self, warehouse: Warehouse, address: str) -> str | None:
        """The id of the person with this e-mail address; None unless addresses are stored, as they are or hashed."""
        users, word = TABLES["users"], self._key.word(address)
        query = sa.select(users.c.id, users.c.email).where(
            users.c.community == self._community, users.c.email.is_not(None)
        )
        with warehouse.reading() as tx:
            rows = tx.execute(query).all()
        return next((id_ for id_, email in rows if word in (email, self._key.word(email))), None)

    def would_erase(self, warehouse: Warehouse, person: str, *, texts: bool = False) -> dict[str, int]:
        """Number of rows that ``erase`` would change, by table. Changes nothing."""
        supposed = self._erased.supposing(person, self._words(warehouse, person), texts=texts)
        redactor = Redactor(self._people, supposed)
        with warehouse.writing() as tx:
            rows = erase_rows(tx, self._contract, redactor, datetime.now(UTC))
            tx.connection.rollback()
        return rows

    def erase(
        self, warehouse: Warehouse, person: str, *, texts: bool = False, also_known_as: Collection[str] = ()
    ) -> Erasure:
        """Erase a person from the warehouse and the archive, and keep the person out from now on.

        If it is interrupted, the next run or the same call completes it.

        Args:
            warehouse: where the rows are.
            person: the person's id at the source.
            texts: whether what the person wrote is erased, too.
            also_known_as: names or addresses of the person that are not stored.

        Raises:
            PrivacyError: the person is erased already, or the suppression list cannot be written.
            WarehouseError: the rows cannot be changed.
        """
        if is_surrogate(person):
            raise PrivacyError(f"{person} stands for a person who is erased already.")
        words = self._words(warehouse, person) | account_changes.words_of(self._key, also_known_as)
        # Others can have erased people on other machines since ``begin``: the archive is freed from them, too.
        before = len(self._merge_list_of(warehouse))
        known = self._erased.entry_of(self._key.surrogate(self._community, person))
        entry = self._erased.add(person, words, texts=texts)
        rows = self._erase_rows(warehouse, [entry], "erase")
        is_known = known is not None and (known.texts, known.words) == (entry.texts, entry.words)
        with warehouse.reading() as tx:
            tables = suppression.tables_of(tx, entry.surrogate)
        left = [note] if (note := compact(warehouse, tables)) else []
        pages = 0
        try:
            pages = self._rewrite()
        except (ArchiveInUse, OSError) as error:
            left.append(f"The archive still holds the person: {_what(error)} Then run the same command again.")
        else:
            if self._archive:
                with suppress(OSError):
                    archives.note_freed(warehouse, self._archive, before + 1)
        # The same erasure once more does not have to reach every machine again.
        left += archives.left_elsewhere(warehouse, self._archive, before if is_known else None)
        return Erasure(entry.surrogate, rows, pages, tuple(left))

    def _rewrite(self) -> int:
        if not self._archive or not self._archive.folder.is_dir():
            return 0
        return rewrite(self._archive.folder, self._without_erased)

    def _words(self, warehouse: Warehouse, person: str) -> set[str]:
        with warehouse.reading() as tx:
            return account_changes.stored_words(tx, self._key, person)


def _what(error: ArchiveInUse | OSError) -> str:
    return unusable(error) if isinstance(error, OSError) else str(error)
