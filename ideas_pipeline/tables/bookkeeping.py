"""The tables in which the pipeline records its runs, scopes, rejects, absences, fields, erasures and marts."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import METADATA

# What a run sets out to do (``_sync_runs.mode``). An operator's confirm and retry read nothing from the API.
RunMode = Literal["incremental", "full", "window", "replay", "confirm", "retry"]
SYNC_MODES: tuple[RunMode, ...] = ("incremental", "full")

# Reasons of scopes that come with advice (``_sync_scopes.reason_code``).
ReasonCode = Literal["total_differs", "total_unused", "cut_lists"]
# Contradictions that come with advice (``_scopes.contradiction_code``).
ContradictionCode = Literal["ignored_parent"]

SCHEMA_VERSION = 1
PROGRAM = "ideas_pipeline"

WAREHOUSE = sa.Table(
    "_warehouse",
    METADATA,
    column("program", "id", "The program that owns this warehouse.", key=True),
    column("schema_version", "integer", "The version of the tables.", required=True),
    column("created_at", "timestamp", "When the warehouse was created.", required=True),
    comment="One row: the program and version that the warehouse belongs to.",
)

SYNC_RUNS = sa.Table(
    "_sync_runs",
    METADATA,
    column("run_id", "id", "The run.", key=True),
    column("community", "id", "The community.", key=True),
    column("source", "text", "The API's base URL.", required=True),
    column("mode", "text", "incremental, full, window, replay, or an operator's retry or confirm."),
    column("window_from", "timestamp", "Start of the window, inclusive."),
    column("window_to", "timestamp", "End of the window, exclusive."),
    column(
        "goal_since",
        "timestamp",
        "Of a full run: scopes complete since then are not swept again (it resumes an interrupted run).",
    ),
    column("account_role", "text", "The role of the API's account, as the API reports it."),
    column("started_at", "timestamp", "When it started.", required=True),
    column("finished_at", "timestamp", "When it ended; null while it runs, or if it was killed."),
    column("verdict", "text", "running, complete, incomplete or failed.", required=True),
    column("reason", "text", "Why it is not complete."),
    column("retryable", "boolean", "If it is not complete: whether a later run of the same mode may complete it."),
    comment="One row per run.",
)

FENCES = sa.Table(
    "_fences",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("account", "text", "The fingerprint of the API account whose run lock it is.", required=True),
    column("fence", "integer", "The lock's number: each run that takes the lock has a higher one.", required=True),
    column("session", "text", "The application_name of the run's sessions; null if it has ended."),
    column("taken_at", "timestamp", "When the run began.", required=True),
    comment="One row per community: the newest run lock. A run with an older one writes nothing.",
)

SYNC_STREAMS = sa.Table(
    "_sync_streams",
    METADATA,
    column("run_id", "id", "The run.", key=True),
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The stream: challenges, ideas, …", key=True),
    column("started_at", "timestamp", "When it started.", required=True),
    column("finished_at", "timestamp", "When it ended; null while it runs, or if it was killed."),
    column("verdict", "text", "running, complete, incomplete or failed.", required=True),
    column("reason", "text", "Why it is not complete."),
    column("retryable", "boolean", "If it is not complete: whether a later sweep may complete it."),
    column("scopes", "integer", "Scopes to sweep.", required=True),
    column("scopes_complete", "integer", "Scopes that were complete.", required=True),
    column("scopes_skipped", "integer", "Scopes that were not swept because nothing indicates a change."),
    column("hidden_changes", "integer", "Rows that had changed although their parent did not show it."),
    column(
        "requests",
        "integer",
        "Requests sent, including retries and requests for absent rows by id.",
        required=True,
    ),
    column("retries", "integer", "Requests that repeated a failed one.", required=True),
    column("seen", "integer", "Records read = inserted + updated + unchanged + rejected.", required=True),
    column("inserted", "integer", "Rows new to the warehouse.", required=True),
    column("updated", "integer", "Rows that had changed, or were marked deleted and exist again.", required=True),
    column("unchanged", "integer", "Rows that were the same and were not written.", required=True),
    column("rejected", "integer", "Records that could not be typed (see _rejected_records).", required=True),
    column("rejected_values", "integer", "Values that could not be typed; they are null in their rows."),
    column("rejected_embedded", "integer", "Embedded rows that could not be typed."),
    column("replaced", "integer", "Characters of the responses that were broken; they are U+FFFD (�) in the rows."),
    column("parts", "integer", "Embedded rows that were written or marked deleted."),
    column("absent", "integer", "Rows marked deleted, including those whose parent was deleted.", required=True),
    column(
        "held", "integer", "Absent rows that wait for an operator because too many are absent at once.", required=True
    ),
    comment="One row per stream and run.",
)

SYNC_SCOPES = sa.Table(
    "_sync_scopes",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The stream: challenges, ideas, …", key=True),
    column("scope", "id", "The scope: the parent's id; empty if the stream is one list.", key=True),
    column("run_id", "id", "The run.", key=True),
    column("swept_at", "timestamp", "When the last sweep ended.", required=True),
    column(
        "verdict",
        "text",
        "complete, incomplete, or not_found (a single record that does not exist).",
        required=True,
    ),
    column("reason", "text", "Why it is not complete."),
    column(
        "reason_code",
        "text",
        "The reason as a word: total_differs (from the number of records); of a complete scope, total_unused (it is a "
        "cap or an estimate) or cut_lists (lists inside records are not whole). Null for other reasons.",
    ),
    column("total_first", "integer", "The API's total on the first page of the last sweep."),
    column("total_last", "integer", "The API's total on the last page of the last sweep."),
    column("declared", "integer", "The count that the parent declares."),
    column("sweeps", "integer", "Number of sweeps.", required=True),
    column("pages", "integer", "Pages of the last sweep.", required=True),
    column("requests", "integer", "Requests sent for it, including retries.", required=True),
    column("received", "integer", "Records received in all sweeps.", required=True),
    column("seen", "integer", "Distinct records = inserted + updated + unchanged + rejected.", required=True),
    column("inserted", "integer", "Rows new to the warehouse.", required=True),
    column("updated", "integer", "Rows that had changed, or were marked deleted and exist again.", required=True),
    column("unchanged", "integer", "Rows that were the same and were not written.", required=True),
    column("rejected", "integer", "Records that could not be typed.", required=True),
    column("rejected_values", "integer", "Values that could not be typed; they are null in their rows."),
    column("absent", "integer", "Rows that were marked deleted.", required=True),
    comment="One row per scope and run: how it was read, and the result.",
)

SCOPES = sa.Table(
    "_scopes",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The stream: challenges, ideas, …", key=True),
    column("scope", "id", "The scope: the parent's id; empty if the stream is one list.", key=True),
    column(
        "fingerprint",
        "text",
        "The parent's values when the scope was last complete; if they differ, the scope is swept again.",
    ),
    column("completed_at", "timestamp", "When the scope was last complete."),
    column("watermark", "timestamp", "Records changed up to here have been read, if the API filters by time."),
    column(
        "suspect",
        "boolean",
        "Rows had changed although the parent did not show it; settled when the parent changes next.",
    ),
    column("run_id", "id", "The run in which it was last complete.", required=True),
    column("contradiction", "text", "What in its last complete sweep contradicted other lists; null if nothing did."),
    column(
        "contradiction_code",
        "text",
        "The contradiction as a word: ignored_parent (the lists of all parents are the same). Null for other ones.",
    ),
    comment="One row per scope: how far it has been read. It changes only in the transaction that loads the scope.",
)

ACCOUNT = sa.Table(
    "_account",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("role", "text", "The role of the API's account with which absent rows are marked deleted."),
    column("accepted_at", "timestamp", "When the role was first seen, or accepted by an operator.", required=True),
    comment="The accepted role of the API's account. A lesser role sees fewer rows; those are not marked deleted.",
)

REJECTED_RECORDS = sa.Table(
    "_rejected_records",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("table_name", "id", "The table that the record belongs to.", key=True),
    column(
        "record_key",
        "id",
        "The record's key as JSON, or a fingerprint if it has no key; of a value, followed by its column.",
        key=True,
    ),
    column("scope", "id", "The scope in which it was listed.", required=True),
    column("column_name", "text", "The column of the value that could not be typed; null if it is the whole record."),
    column("reason", "text", "What is wrong with the value or the record, without personal data.", required=True),
    column(
        "reason_code",
        "text",
        "The reason as a word. Of a value: not_a_number, unknown_format, …; of a record: no_key, or older or undated "
        "(another one has its key). Null if an earlier version stored it.",
    ),
    column("key_reasons", "json", "Of a record without a usable key: by column of the key, what is wrong, as a word."),
    column("value", "json", "The value as received; its row has null in the column.", pii="free_text"),
    column(
        "payload",
        "json",
        "Of a record, the received values by column, without fields that may not be stored; of a value, only the "
        "columns that say whose it is.",
        pii="free_text",
    ),
    column("first_seen_at", "timestamp", "When it was first rejected.", required=True),
    column("run_id", "id", "The run that last rejected it.", required=True),
    comment="Rejects: values that could not be typed, and records without a usable key. "
    "A reject is deleted when its value or record loads.",
)

ABSENCES = sa.Table(
    "_absences",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The row's table: that of a stream, or of its embedded rows.", key=True),
    column("id", "id", "The row's id; of an embedded row its key as JSON, without the community.", key=True),
    column(
        "scope",
        "id",
        "The scope from which the row is absent; of an embedded row its record.",
        required=True,
    ),
    column("run_id", "id", "The run that noticed the absence.", required=True),
    column("noticed_at", "timestamp", "When the absence was first noticed.", required=True),
    column("held_because", "text", "Why the row is held; null until that is decided."),
    column(
        "contradiction",
        "text",
        "What contradicts the absence, so that another run has to confirm it; null if nothing does.",
    ),
    comment="Rows that are absent from a complete sweep and not (yet) marked deleted. "
    "A row that is seen again leaves this table.",
)

FIELDS = sa.Table(
    "_fields",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("table_name", "id", "The table that the records belong to.", key=True),
    column("field", "id", "The column; or `_extra.NAME` for a field that the contract does not map.", key=True),
    column("is_mapped", "boolean", "Whether the field fills a column.", required=True),
    column("kinds", "text", "The types of its values: text, number, true/false, list, map. Nulls are not counted."),
    column("records", "integer", "Number of records with the field when it was last noted.", required=True),
    column("of_records", "integer", "Number of records that were read then.", required=True),
    column("first_seen_at", "timestamp", "When the field was first seen.", required=True),
    column(
        "last_seen_at",
        "timestamp",
        "When the field was last noted: when it appeared, reappeared or changed, not in every run.",
        required=True,
    ),
    column(
        "missing_since", "timestamp", "When the field was noticed to be in no record any more; null while it is sent."
    ),
    column("run_id", "id", "The run that last noted the field.", required=True),
    comment="One row per field that the API ever sent, in order to notice new, changed and vanished fields.",
)

ERASURES = sa.Table(
    "_erasures",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("surrogate", "id", "The id that replaces the person's id everywhere.", key=True),
    column("erased_at", "timestamp", "When the erasure was decided.", key=True),
    column(
        "applied_at",
        "timestamp",
        "When this warehouse was blanked (again, if a backup was restored).",
        required=True,
    ),
    column(
        "because",
        "text",
        "asked, deleted at the source, or there again (at the source, and no longer kept out).",
        required=True,
    ),
    column("command", "text", "The command: erase or sync.", required=True),
    column("texts", "boolean", "Whether the texts that the person wrote were blanked, too.", required=True),
    column("words", "json", "Keyed hashes of the names and addresses that are kept out.", required=True),
    column("key_fingerprint", "text", "Fingerprint of the key of these hashes.", required=True),
    column("rows", "json", "Number of blanked rows per table, for all people erased together at applied_at."),
    comment="One row per erasure, without personal data. It also keeps the person out of later syncs: never delete it.",
)

POLICIES = sa.Table(
    "_policies",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("policy", "text", "What is kept, hashed or dropped, by class of personal data.", required=True),
    column("rules", "integer", "The version of the rules by which personal data is recognised.", required=True),
    column("applied_at", "timestamp", "When all stored rows were held to this policy.", required=True),
    comment="One row per community: the policy for personal data to which all stored rows were held last.",
)

ARCHIVES = sa.Table(
    "_archives",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("archive", "id", "The archive: a number that its folder has.", key=True),
    column("place", "text", "The machine and the folder.", required=True),
    column("noted_at", "timestamp", "When a run first wrote to it.", required=True),
    column(
        "erasures", "integer", "Number of rows of _erasures when it was last freed from erased people.", required=True
    ),
    comment="One row per archive of pages: each machine that shares no disk with the others has its own.",
)

MARTS = sa.Table(
    "_marts",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("mart", "id", "The mart: the name of its table.", key=True),
    column("rows", "integer", "Number of rows.", required=True),
    column("as_of", "timestamp", "The moment up to which unfinished durations are counted.", required=True),
    column("timezone", "text", "The time zone of its days and months.", required=True),
    column("today", "date", "The day of as_of in that time zone."),
    column("built_at", "timestamp", "When the mart was built.", required=True),
    column("checked_at", "timestamp", "When it was built, or found to be made of the same rows as before."),
    column("made_of", "text", "A fingerprint of the rows and the code that it was built from."),
    comment="One row per mart: when it was last built. All marts of a community are built in one transaction. A sync "
    "leaves a mart as it is if nothing that it is made of has changed; ages are then updated.",
)
