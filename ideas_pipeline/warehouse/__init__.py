"""Queries and writes on the warehouse's tables, in transactions that are bound to one community.

Everything that depends on the database engine belongs here. What is stored is defined in ``tables/``; when a sync
writes what is decided in ``sync/``.
"""
