"""Alerts to people: their texts, and how they are sent by webhook and e-mail.

When an alert is due is decided in ``defs/``; what is wrong with the tables is worded in ``sync/findings.py``.
"""
