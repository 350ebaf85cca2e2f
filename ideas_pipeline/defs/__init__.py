"""Everything Dagster: assets, checks, jobs, schedules, sensors and resources, made from settings and contract.

No rule about data belongs here: an asset calls ``app.py``, a check shows a finding of ``sync/findings.py``.
"""
