"""The HTTP client of the Ideas API: login, transport, rate limiter, run lock, pagination, and JSON records by column.

It knows the contract, but no SQL, no data frames and no tables: typing and loading records happens elsewhere.
"""
