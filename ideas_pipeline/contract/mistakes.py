"""Put what is wrong with a contract into sentences that name file, line and path, and say what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json, Mistake, Steps
from ideas_pipeline.contract.yaml_file import Document, shown

# pydantic's error types, in the words of a person who writes YAML.
_SHOULD_BE = {
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "dict_type": "should be a map of names and values",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "model_attributes_type": "should be a map of names and values",
    "model_type": "should be a map of names and values",
    "string_type": "should be text (in quotes if it looks like a number)",
    "tuple_type": "should be text or a list of texts",
}


def mistakes(error: ValidationError, document: Document, default: Document) -> list[Mistake]:
    """What validation found in ``document``, each mistake once.

    Args:
        error: the validation's error for the data of ``document``.
        document: the merged contract.
        default: the default contract, whose names are suggested.
    """
    found: list[Mistake] = []
    for one in error.errors(include_url=False, include_input=False):
        # What the contract's own checks found comes along as it is.
        found += one["ctx"]["mistakes"] if one["type"] == "mistakes" else [_mistake(one, document.data, default.data)]
    return list(dict.fromkeys(found))


def in_the_file(mistake: Mistake, document: Document) -> str:
    """The mistake with its file and line: those of the value, or of the nearest map around a value that is missing."""
    steps = mistake.steps
    mistake = Mistake(tuple(shown(step) if isinstance(step, str) else step for step in steps), mistake.what)
    while steps and steps not in document.places:
        steps = steps[:-1]
    return f"{document.places[steps]}: {mistake}" if steps else str(mistake)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses ``name``: the known name that was probably meant, and all others."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"{meant} Known are: {', '.join(names)}" if names else ""


def _mistake(error: Any, data: Json, default: Json) -> Mistake:
    steps = _steps_in_file(error["loc"], data)
    kind, context = error["type"], error.get("ctx", {})
    around = _schema_at(steps[:-1], data) or {}
    properties = around.get("properties", {})
    if kind == "missing":
        what = f"is missing{_purpose(around)}"
    elif _is_null(data, steps):
        there = _value(default, steps[:-1])
        meant = suggestion(str(steps[-1]), {*properties, *(there if isinstance(there, dict) else ())})
        what = f"is null, which removes a value, but the default has none of this name{meant}"
    elif kind == "extra_forbidden":
        what = f"is not known here{suggestion(str(steps[-1]), properties)}{_purpose(around)}"
    elif kind == "union_tag_not_found":
        what = f"needs {context['discriminator'].strip(chr(39))}, the way in which pages are requested"
    elif kind == "union_tag_invalid":
        steps = (*steps, "style")
        styles = context["expected_tags"].replace("'", "")
        what = f"is {context['tag']!r}{suggestion(context['tag'], styles.split(', '))}"
    elif kind == "value_error":
        what = f"is wrong: {context['error']}"
    elif kind in _SHOULD_BE:
        what = f"{_SHOULD_BE[kind]}, but is {_shape(_value(data, steps))}"
    else:
        what = error["msg"].replace("Input should be", "should be")
    return Mistake(steps, what)


def _is_null(data: Json, steps: Steps) -> bool:
    around = _value(data, steps[:-1])
    return isinstance(around, dict) and around.get(steps[-1], ...) is None


def _steps_in_file(location: Steps, data: Json) -> Steps:
    """``location`` without the steps that only pydantic has, such as the paging style that it chose."""
    steps: list[str | int] = []
    for position, step in enumerate(location):
        is_last = position == len(location) - 1
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            if not (is_last and isinstance(data, dict)):
                continue
        steps.append(step)
    return tuple(steps)


def _purpose(schema: Json) -> str:
    """The purpose of the map around a mistake: the first sentence of its model's docstring, in brackets."""
    description = " ".join(schema.get("description", "").split("\n\n")[0].replace("``", "").split())
    return f" ({description})" if description else ""


def _schema_at(steps: Steps, data: Json) -> Json:
    """The JSON schema of what the contract can have at ``steps``; None if it can have nothing there."""
    definitions = _schema()["$defs"]
    schema: Json = _schema()
    for step in steps:
        data = _value(data, (step,))
        schema = (schema.get("properties", {}).get(step)) or schema.get("additionalProperties") or {}
        for option in schema.get("anyOf", ()):
            schema = option if "$ref" in option else schema
        if "discriminator" in schema:
            style = data.get("style") if isinstance(data, dict) else None
            schema = {"$ref": schema["discriminator"]["mapping"].get(style, "#/$defs/NoPaging")}
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
        if not isinstance(schema, dict):
            return None
    return schema


@cache
def _schema() -> dict[str, Any]:
    return Contract.model_json_schema()


def _value(data: Json, steps: Steps) -> Json:
    for step in steps:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _shape(value: Json) -> str:
    """The kind of a value, never the value itself: it may be a secret in the wrong place."""
    kinds = {dict: "a map", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return kinds.get(type(value), "a number")
