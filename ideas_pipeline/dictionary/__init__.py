"""The data dictionary, docs/warehouse.md, generated from ``tables/``, ``marts/`` and the contract.

The meanings of tables and columns do not belong here, but beside their definitions.
"""
