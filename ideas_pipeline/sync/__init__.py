"""The sync engine: which scopes a run reads, when they are complete, what is loaded, and which rows were deleted.

HTTP, SQL and Dagster do not belong here: ``ideas_api/`` sends requests, ``warehouse/`` writes, ``app.py`` starts runs.
"""
