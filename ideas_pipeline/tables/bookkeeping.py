"""The tables that hold what the pipeline did, for anyone to query."""

from __future__ import annotations

import sqlalchemy as sa

from ideas_pipeline.tables.columns import column
from ideas_pipeline.tables.community import METADATA

SCHEMA_VERSION = 1
PROGRAM = "ideas_pipeline"

WAREHOUSE = sa.Table(
    "_warehouse",
    METADATA,
    column("program", "id", "The program that owns this warehouse.", key=True),
    column("schema_version", "integer", "The version of its tables.", required=True),
    column("created_at", "timestamp", "When it was created.", required=True),
    comment="One row: whose warehouse this is.",
)

SYNC_RUNS = sa.Table(
    "_sync_runs",
    METADATA,
    column("run_id", "id", "The run.", key=True),
    column("community", "id", "The community.", key=True),
    column("source", "text", "The API's base URL.", required=True),
    column("mode", "text", "incremental, full, window, replay; retry and confirm are an operator's."),
    column("window_from", "timestamp", "Of a window: the first moment, included."),
    column("window_to", "timestamp", "Of a window: the last moment, not included."),
    column(
        "goal_since",
        "timestamp",
        "Of a full run: lists proven since then count as read (it goes on from a broken one).",
    ),
    column("account_role", "text", "The role of the API's account, as the API says it."),
    column("started_at", "timestamp", "When it started.", required=True),
    column("finished_at", "timestamp", "When it ended; null while it runs, or where it was killed."),
    column("verdict", "text", "running, complete, incomplete or failed.", required=True),
    column("reason", "text", "Why it is not complete."),
    column("retryable", "boolean", "If it is not complete: whether the same run, started again later, can be."),
    comment="One row per run.",
)

SYNC_STREAMS = sa.Table(
    "_sync_streams",
    METADATA,
    column("run_id", "id", "The run.", key=True),
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The stream: challenges, ideas, …", key=True),
    column("started_at", "timestamp", "When it started.", required=True),
    column("finished_at", "timestamp", "When it ended; null while it runs, or where it was killed."),
    column("verdict", "text", "running, complete, incomplete or failed.", required=True),
    column("reason", "text", "Why it is not complete."),
    column("retryable", "boolean", "If it is not complete: whether another sweep, later, can be."),
    column("scopes", "integer", "Lists that were to be read.", required=True),
    column("scopes_complete", "integer", "Lists that were proven complete.", required=True),
    column("scopes_skipped", "integer", "Lists that were not read, as nothing says that they changed."),
    column("hidden_changes", "integer", "Rows that had changed though their parent did not say so."),
    column(
        "requests",
        "integer",
        "Requests that were sent, retries and second looks at missing rows included.",
        required=True,
    ),
    column("retries", "integer", "Requests among them that were repeats of a failed one.", required=True),
    column("seen", "integer", "Records read = inserted + updated + unchanged + rejected.", required=True),
    column("inserted", "integer", "Rows new to the warehouse.", required=True),
    column("updated", "integer", "Rows that differed, or came back.", required=True),
    column("unchanged", "integer", "Rows that were the same, and not written.", required=True),
    column("rejected", "integer", "Records that could not be typed (see _rejected_records).", required=True),
    column("parts", "integer", "Rows of embedded tables that were written or marked."),
    column("absent", "integer", "Rows proven absent and marked, with those whose parent is gone.", required=True),
    column("held", "integer", "Rows that look absent, but too many at once to be believed.", required=True),
    comment="One row a stream and run.",
)

SYNC_SCOPES = sa.Table(
    "_sync_scopes",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The stream: challenges, ideas, …", key=True),
    column("scope", "id", "The list: the parent's id; empty where the stream is one list.", key=True),
    column("run_id", "id", "The run.", key=True),
    column("swept_at", "timestamp", "When the reading ended.", required=True),
    column(
        "verdict",
        "text",
        "complete, incomplete, or not_found (a single record that is not there).",
        required=True,
    ),
    column("reason", "text", "Why it is not complete."),
    column("total_first", "integer", "The API's total on the first page of the last reading."),
    column("total_last", "integer", "The API's total on the last page of the last reading."),
    column("declared", "integer", "The count that the parent declares."),
    column("sweeps", "integer", "How often the list was read.", required=True),
    column("pages", "integer", "Pages of the last reading.", required=True),
    column("requests", "integer", "Requests that were sent for it, retries included.", required=True),
    column("received", "integer", "Records received over all readings.", required=True),
    column("seen", "integer", "Distinct records = inserted + updated + unchanged + rejected.", required=True),
    column("inserted", "integer", "Rows new to the warehouse.", required=True),
    column("updated", "integer", "Rows that differed, or came back.", required=True),
    column("unchanged", "integer", "Rows that were the same, and not written.", required=True),
    column("rejected", "integer", "Records that could not be typed.", required=True),
    column("absent", "integer", "Rows that were proven absent, and marked.", required=True),
    comment="One row a list and run: how it was read and what came of it.",
)

SCOPES = sa.Table(
    "_scopes",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The stream: challenges, ideas, …", key=True),
    column("scope", "id", "The list: the parent's id; empty where the stream is one list.", key=True),
    column(
        "fingerprint", "text", "What the parent said when the list was last proven; a difference means: read it anew."
    ),
    column("completed_at", "timestamp", "When the list was last proven complete."),
    column("watermark", "timestamp", "Records changed up to here have been read, where the API filters by time."),
    column(
        "suspect", "boolean", "Rows had changed though the parent did not say so; judged when the parent speaks next."
    ),
    column("run_id", "id", "The run that last proved it.", required=True),
    comment="One row a list: how far it has been read. It moves only in the transaction that loads the list.",
)

ACCOUNT = sa.Table(
    "_account",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("role", "text", "The role of the API's account under which absences are believed."),
    column("accepted_at", "timestamp", "When it was first seen, or accepted by an operator.", required=True),
    comment="What the API's account may see: a lesser role sees fewer rows, which are then not gone.",
)

REJECTED_RECORDS = sa.Table(
    "_rejected_records",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("table_name", "id", "The table for which it was meant.", key=True),
    column("record_key", "id", "Its key as JSON, or a fingerprint where it has none.", key=True),
    column("scope", "id", "The list in which it was.", required=True),
    column("reason", "text", "What is wrong with it.", required=True),
    column(
        "payload",
        "json",
        "What was received, by column; fields that are not stored are left out.",
        pii="free_text",
    ),
    column("first_seen_at", "timestamp", "When it was first rejected.", required=True),
    column("run_id", "id", "The run that last rejected it.", required=True),
    comment="Records that could not be typed and wait for a mend. A record that loads again leaves this table.",
)

ABSENCES = sa.Table(
    "_absences",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("stream", "id", "The row's table: that of a stream, or one embedded in its records.", key=True),
    column("id", "id", "The row's id; of an embedded table its key as JSON, without the community.", key=True),
    column(
        "scope",
        "id",
        "The list from which it is missing; of an embedded table the record it is part of.",
        required=True,
    ),
    column("run_id", "id", "The run that noticed.", required=True),
    column("noticed_at", "timestamp", "When it was first noticed.", required=True),
    column("held_because", "text", "Why the absence is not believed; null until it has been judged."),
    comment="Rows missing from a complete reading whose absence is not (yet) believed. Seen again, they leave.",
)

FIELDS = sa.Table(
    "_fields",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("table_name", "id", "The table for which the records are meant.", key=True),
    column("field", "id", "The column; or `_extra.NAME` for a field that the contract does not map.", key=True),
    column("is_mapped", "boolean", "Whether it fills a column.", required=True),
    column("kinds", "text", "What its values are: text, number, true/false, list, map. Nulls are not counted."),
    column("records", "integer", "How many records had it, when it was last noted.", required=True),
    column("of_records", "integer", "How many records were read then.", required=True),
    column("first_seen_at", "timestamp", "When it was first seen.", required=True),
    column(
        "last_seen_at",
        "timestamp",
        "When it was last noted as there: when it appeared, came back, or changed, not every night.",
        required=True,
    ),
    column("missing_since", "timestamp", "When it was noticed to be in no record any more; null while it is there."),
    column("run_id", "id", "The run that last noted it.", required=True),
    comment="One row a field that the API ever sent: what notices a new field, a changed one, one that vanished.",
)

ERASURES = sa.Table(
    "_erasures",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("surrogate", "id", "What stands for the person wherever the id stood.", key=True),
    column("erased_at", "timestamp", "When it was decided.", key=True),
    column(
        "applied_at",
        "timestamp",
        "When this warehouse was blanked (again, where a backup was restored).",
        required=True,
    ),
    column(
        "because",
        "text",
        "asked, deleted at the source, or there again (at the source, and kept out no more).",
        required=True,
    ),
    column("command", "text", "What did it: erase, or sync.", required=True),
    column("texts", "boolean", "Whether what the person wrote was blanked, too.", required=True),
    column("words", "json", "Keyed hashes of the names and addresses that are kept out.", required=True),
    column("key_fingerprint", "text", "Which key the hashes were made with.", required=True),
    column("rows", "json", "Rows that were blanked by table, for all who were erased at applied_at together."),
    comment="One row an erasure, without personal data. It also keeps the person out of later syncs: never delete it.",
)

MARTS = sa.Table(
    "_marts",
    METADATA,
    column("community", "id", "The community.", key=True),
    column("mart", "id", "The mart, which is the name of its table.", key=True),
    column("rows", "integer", "How many rows it has.", required=True),
    column("as_of", "timestamp", "The moment up to which what still lasts is counted.", required=True),
    column("timezone", "text", "The time zone whose days and months it counts by.", required=True),
    column("built_at", "timestamp", "When it was built.", required=True),
    comment="One row a mart: when it was last built. All marts of a community are built in one transaction.",
)
