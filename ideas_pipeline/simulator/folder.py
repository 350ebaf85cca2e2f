"""Read a community from a folder of JSON Lines files: one per table, with fields named as the warehouse's columns."""

from __future__ import annotations

import json
from pathlib import Path

from ideas_pipeline.simulator.truth import EMBEDDED_TABLES, Row, Tables


class FolderError(ValueError):
    """A folder that cannot be served; the message names the file, the line and the reason."""


def read_folder(path: Path | str) -> Tables:
    """Read every ``*.jsonl`` file of the folder as a table, with its rows in the order of the lines.

    Fields that are not columns are kept, and served as they are.

    Raises:
        FolderError: The folder or a file cannot be used.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FolderError(f"{folder} is not a folder. Name a folder with one file per table, such as ideas.jsonl.")
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise FolderError(f"{folder} has no *.jsonl file. Put one file per table there, such as ideas.jsonl.")
    return {file.stem: _read_table(file) for file in files}


def _read_table(file: Path) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    where = f"{file}, line {number}"
                    row = _read_row(line, where)
                    key = str(number) if file.stem in EMBEDDED_TABLES else _id_of(row, where)
                    if key in rows:
                        raise FolderError(f"{where}: the id {key} was already used by an earlier line.")
                    rows[key] = row
    except UnicodeDecodeError as error:
        raise FolderError(f"{file} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    return rows


def _read_row(line: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise FolderError(f"{where}: this line is not valid JSON ({error.msg}, column {error.colno}).") from None
    if not isinstance(row, dict):
        raise FolderError(f'{where}: a row must be a JSON object, such as {{"id": "7"}}.')
    return row


def _id_of(row: Row, where: str) -> str:
    value = row.get("id")
    if value is None or value == "":
        raise FolderError(f"{where}: this row has no id. Give every row a unique id.")
    return str(value)
