"""The marts: tables for analysts, each filled by one SELECT that runs inside the warehouse.

What marts look like in a report belongs to ``report/``; the tables they are built from are in ``tables/``.
"""
