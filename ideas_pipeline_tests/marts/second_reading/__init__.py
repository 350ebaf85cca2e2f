"""The marts' figures, computed a second time from the tables' rows, by the definitions in docs/warehouse.md alone.

Plain loops over plain rows, and nothing shared with ``marts/`` or with ``expected_*.py``: an assumption that those two
have in common shows here.
"""
