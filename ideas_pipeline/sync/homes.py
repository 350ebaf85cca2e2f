"""Where the records of a stream belong, if the lists that bring them contradict each other.

A list should hold the records of one parent. Real APIs also ignore the parent in the path, so that every list holds
all records, or list one record under two parents. Then the order in which lists arrive must not decide:

* A record belongs to the parent that it names; if it names none that is known, to the list that brought it.
* A row that has another home in the warehouse stays there until a complete sweep of that home lacks its id.
* If the first pages of two lists hold the same records, the API ignores the parent. One list is then read to its end
  for all of them. If its records name their parents, that completes every scope.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ideas_pipeline.contract.model import Stream
from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api.composite_ids import id_text, state_of
from ideas_pipeline.ideas_api.field_map import Record
from ideas_pipeline.ideas_api.references import KnownRows
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.tables.bookkeeping import ContradictionCode
from ideas_pipeline.tables.columns import parent_of
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.text import clean_text

# Records that wait in memory until it is known where they belong. Beyond this limit, rows keep their present home until
# the next run.
_MOST_WAITING = 10_000
# Fewer records than this can be the same in two lists by chance.
_FEWEST = 2


class NotNeeded(IdeasApiError):
    """A page is not requested, because another list holds the same records. It never leaves the stream's sync."""


def parent_listed_by(stream: str, spec: Stream) -> str | None:
    """The column that names a row's parent, if the stream has one list per parent; None if it has other lists."""
    owner = parent_of(TABLES[stream])
    return spec.listed_by if owner and owner[0] == spec.listed_by else None


@dataclass(slots=True)
class Waiting:
    """A record whose row has another home in the warehouse than in the list that brought it.

    Attributes:
        present: the home of the row in the warehouse.
        versions: the record as each home has it.
        lists: the scopes whose lists brought it.
    """

    present: str
    versions: dict[str, Record] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)


class Homes:
    """Where the records of one stream belong, as the sweeps of one run show it.

    The thread that fetches calls ``observe``; the loader's thread calls ``once`` and ``wait``.

    Args:
        stream: the name of the stream.
        spec: the stream in the contract.
        known: the rows that records can name, their parents among them.

    Attributes:
        column: the column that names a record's parent and gets the scope; None if lists have no parents.
        chosen: the scope whose list stands for all others, because the API ignores the parent.
        swept: the sweeps of the scope that others are compared with, once it is finished.
        waiting: the records that wait, by id.
        settled: ids that may move to the home that the run found.
        twice: by scope, the number of its records that are also in the list of their present home.
        unlisted: the ids of rows that belong in no list that is known, as long as no list brought them.
        undecided: by scope, the number of its records whose present home this run has not read completely.
    """

    def __init__(self, stream: str, spec: Stream, known: KnownRows) -> None:
        self.column = parent_listed_by(stream, spec)
        self.moves = bool(self.column and spec.each and spec.each.moves)
        self.known = known
        self.chosen: str | None = None
        self.swept: SweptScope | None = None
        self.waiting: dict[str, Waiting] = {}
        self.settled: set[str] = set()
        self.twice: Counter[str] = Counter()
        self.unlisted: set[str] = set()
        self.undecided: Counter[str] = Counter()
        self._spec = spec
        self._stream = stream
        self._first: dict[str, str] = {}
        self._several: dict[str, set[str]] = {}
        self._started: set[str] = set()
        self._sample: tuple[str, dict[str, Record]] | None = None
        self._is_echo = False
        self._of_sample: dict[str, list[str]] = {}
        self._nameless: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._foreign: dict[str, dict[str, str]] = {}
        self._known_names = 0

    def observe(self, scope: str, records: Sequence[Record]) -> None:
        """Note new records of a scope."""
        if self.unlisted:
            self.unlisted.difference_update(map(self.key, records))
        if self.column is None:
            return
        is_first = scope not in self._started and bool(records)
        if is_first:
            self._started.add(scope)
            self._compare(scope, records)
        in_sample = self.sample == scope
        for record in records:
            key, home = self.key(record), self.home(record)
            if record.named is None:
                self._nameless[scope] += 1
            elif record.named == home:
                self._known_names += 1
            else:
                self._unknown[scope] += 1
            if home != scope:
                self._foreign.setdefault(scope, {})[key] = home
            if self.moves:
                first = self._first.setdefault(key, home)
                if first != home:
                    self._several.setdefault(key, {first}).add(home)
            if in_sample:
                self._of_sample.setdefault(home, []).append(key)

    @property
    def sample(self) -> str | None:
        """The first scope that had enough records to be compared with others."""
        return self._sample[0] if self._sample else None

    def is_needed(self, scope: str) -> bool:
        """Whether the scope has to be read: not if its list is that of the chosen scope."""
        return self.chosen is None or scope == self.chosen

    def belongs_here(self, record: Record) -> bool:
        """Whether the record is one of the stream's scopes: a list of everything also has those of hidden parents."""
        names_another = record.named is not None and record.named != self.home(record)
        return not (self.chosen is not None and self._known_names and names_another)

    @property
    def all_are_named(self) -> bool:
        """Whether the records of the chosen scope tell to which parents they belong."""
        named = self.chosen is not None and not self._nameless[self.chosen] and bool(self._known_names)
        return named and not self._is_echo

    def ids_of(self, scope: str) -> list[str]:
        """The ids of the scope's records in the list of the chosen scope."""
        return self._of_sample.get(scope, [])

    def named_in(self, records: Iterable[Record]) -> frozenset[str]:
        """The ids of records that name their parent."""
        if self.column is None or not self._known_names:
            return frozenset()
        return frozenset(self.key(record) for record in records if record.named == self.home(record))

    def lacks(self, home: str, id_: str) -> bool | None:
        """Whether the sweep of ``home`` lacked a record, if it was complete; None if that is not known."""
        if self.chosen is not None:
            return self.all_are_named and id_ not in self.ids_of(home)
        if not self.moves or id_ not in self._first:
            return None
        return home not in self._several.get(id_, {self._first[id_]})

    @property
    def listed_elsewhere(self) -> set[str]:
        """The ids of records that came in the list of another parent than they name."""
        return {id_ for found in self._foreign.values() for id_ in found}

    def once(self, rows: Iterable[tuple[Record, str]]) -> Iterator[tuple[Record, str]]:
        """Leave out what other lists brought as well: the first home counts, and of that home its own list.

        What other homes have waits. What one list brought twice stays: whoever types the records decides about it.
        """
        chosen: dict[str, tuple[Record, str]] = {}
        for number, (record, scope) in enumerate(rows):
            key = self.key(record) if record.columns.get("id") is not None else f"\0{number}"
            known = chosen.get(key)
            if known is None:
                chosen[key] = record, scope
            elif known[1] == scope:
                chosen[f"{key}\0{number}"] = record, scope
            elif self.home(record) != (home := self.home(known[0])):
                self._keep(key, home, record, scope)
            elif known[1] != home and scope == home:
                chosen[key] = record, scope
        return iter(chosen.values())

    def wait(self, staying: Mapping[str, str], rows: Iterable[tuple[Record, str]]) -> None:
        """Keep the records whose rows stay where they are: ``staying`` has the home of each row by id."""
        if staying:
            for record, scope in rows:
                if (key := self.key(record)) in staying:
                    self._keep(key, staying[key], record, scope)

    def _keep(self, key: str, present: str, record: Record, scope: str) -> None:
        if key not in self.waiting and len(self.waiting) >= _MOST_WAITING:
            self.undecided[scope] += 1
            return
        waiting = self.waiting.setdefault(key, Waiting(present))
        waiting.present = present
        waiting.versions[self.home(record)] = record
        waiting.lists.add(scope)

    def at_home(self, waiting: Waiting) -> Record | None:
        """The record of a list that stands for all, as the present home would have it; None if lists differ."""
        if self.chosen is None or self.all_are_named or not waiting.versions:
            return None
        record = next(iter(waiting.versions.values()))
        return replace(record, columns=record.columns | {str(self.column): waiting.present})

    def home(self, record: Record) -> str:
        """The parent to which a record belongs."""
        return str(record.columns.get(self.column)) if self.column else ""

    @staticmethod
    def key(record: Record) -> str:
        """The record's id as the warehouse has it."""
        return clean_text(id_text(record.columns.get("id")) or "")

    def _compare(self, scope: str, records: Sequence[Record]) -> None:
        """Recognise a parent that the API ignores: two first pages that hold the same records."""
        if self.chosen is not None or len(records) < _FEWEST:
            return
        page = {self._identity(record): record for record in records}
        if self._sample is None:
            self._sample = scope, page
            return
        first, sample = self._sample
        if page.keys() != sample.keys() or len(page) < _FEWEST:
            return
        names = {key: record.named for key, record in page.items()}
        # An API that ignores the parent can still repeat it in the records: then they show nothing.
        self._is_echo = names != {key: record.named for key, record in sample.items()}
        are_named = not self._is_echo and any(name is not None for name in names.values())
        if are_named or all(self._content(record) == self._content(sample[key]) for key, record in page.items()):
            self.chosen = first

    def _identity(self, record: Record) -> str:
        """The record's identity without its parent; a composite id contains the parent."""
        key = self.key(record)
        is_made = bool(self._spec.key) and key.startswith("[")
        return self._content(record) if is_made and record.columns.get(self._spec.cursor) else key

    def _content(self, record: Record) -> str:
        own = {name: value for name, value in record.columns.items() if name not in (self.column, "id")}
        return state_of(own, {}, self._spec.volatile)

    def contradictions(self, scopes: Iterable[str]) -> dict[str, str]:
        """Describe the contradictions found in each scope's list, for the finding."""
        if self.chosen is not None:
            return dict.fromkeys(scopes, f"{self._ignored}: they hold the same {self._stream}")
        found: dict[str, list[str]] = {}
        for scope, foreign in self._foreign.items():
            found.setdefault(scope, []).append(f"{len(foreign)} of its records name another {self.column}")
        for scope, count in self._unknown.items():
            found.setdefault(scope, []).append(f"{count} of its records name a {self.column} that is not known")
        for scope, count in self.twice.items():
            found.setdefault(scope, []).append(f"{count} of its records are also in another list")
        for scope, count in self.undecided.items():
            found.setdefault(scope, []).append(f"{count} of its records may have moved from lists that were not read")
        among = set(scopes)
        return {scope: "; ".join(parts) for scope, parts in found.items() if scope in among}

    @property
    def contradiction_code(self) -> ContradictionCode | None:
        """What ``contradictions`` describes, as a word."""
        return None if self.chosen is None else "ignored_parent"

    @property
    def _ignored(self) -> str:
        return f"the API ignores {self.column} in the path"

    @property
    def sentence(self) -> str:
        """That the API ignores the parent, although records do not name theirs, and the contract line that mends it."""
        return (
            f"{self._ignored}: different lists hold the same {self._stream}, and these do not say "
            f"to which {self.column} they belong. Correct the path or its parameters; or map {self.column} to the "
            f"field that says it, and read one list of all: {one_list(self._stream, self._spec)}"
        )


def one_list(stream: str, spec: Stream) -> str:
    """The contract line that reads one list of all records of a stream, instead of one per parent."""
    return f"streams: {{{stream}: {{path: {spec.path_of_all()}, each: null}}}}"
