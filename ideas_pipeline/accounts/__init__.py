"""State of API accounts in PostgreSQL, for machines that share no disk: tokens, request budget and run lock.

One row per account. The interface is ``ideas_api.account_store``; the files of one machine are in ``ideas_api``.
"""
