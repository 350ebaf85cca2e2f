"""The commands of ``ideas-pipeline``: one module per command, which reads options, calls the package and prints.

Work that Dagster does too does not belong here: ``app.py`` opens things and starts runs.
"""
