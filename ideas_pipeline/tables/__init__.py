"""Every table and column of the warehouse, with its type, meaning and class of personal data.

Definitions only: no queries (``warehouse/``), no marts (``marts/``). The DDL, the typing of records
and docs/warehouse.md are made from them.
"""
