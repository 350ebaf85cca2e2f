"""Loggers and handlers whose records are one line each, whatever the texts in them."""

from __future__ import annotations

import logging

from ideas_pipeline.visible import visible


def logger(name: str) -> logging.Logger:
    """The logger ``name``. Each of its records is one visible line, whoever handles it."""
    log = logging.getLogger(name)
    log.addFilter(one_line)  # adding it again changes nothing
    return log


def one_line(record: logging.LogRecord) -> bool:
    """A filter for loggers and handlers. It makes a record's message ``visible``, and lets every record pass."""
    record.msg, record.args = visible(record.getMessage()), None
    return True
