"""Pages as the API sent them, kept for `IDEAS_ARCHIVE_DAYS` days: one SQLite file per run, in one folder per community.

Writing, reading, rewriting and removing these files belongs here. What a page means (contract, records, people) does
not: `sync/` replays pages, `privacy/` says what is erased from them.
"""
