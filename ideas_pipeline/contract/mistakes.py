"""What is wrong with a contract, in sentences that name file, line and YAML path, and say what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.yaml_lines import Document, Json, Steps

# pydantic's kinds of mistake, in the words of someone who writes YAML.
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
    "string_type": "should be text (in quotes where it looks like a number)",
    "tuple_type": "should be text or a list of texts",
}


class Mistake(NamedTuple):
    """What is wrong with the value at ``steps``, said so that it goes on after the value's path."""

    steps: Steps
    what: str

    def line(self, document: Document) -> str:
        """The sentence, with the file and the line where they are known."""
        return f"  {_place(document, self.steps)}{'.'.join(map(str, self.steps))} {self.what}"


def mistakes(error: ValidationError, document: Document) -> list[Mistake]:
    """What the contract's models found in ``document``."""
    return [_mistake(found, document) for found in error.errors(include_url=False, include_input=False)]


def nothing_to_take_out(nulls: Iterable[Steps], default: Json, document: Document) -> list[Mistake]:
    """Those of ``nulls``, none of which is in the default, that name what no contract has: they are misspelt."""
    found = []
    for steps in nulls:
        schema = _schema_at(steps[:-1], document.data) or {}
        names = {*schema.get("properties", ()), *(_value(default, steps[:-1]) or ())}
        if steps[-1] not in names:
            what = f"is null, which takes a value out, and there is none of this name{nearest(str(steps[-1]), names)}"
            found.append(Mistake(steps, what))
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses ``name``: what may have been meant."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"{meant} Known are: {', '.join(names)}" if names else ""


def _mistake(mistake: Any, document: Document) -> Mistake:
    steps = _steps_in_file(mistake["loc"], document.data)
    kind, context = mistake["type"], mistake.get("ctx", {})
    schema = _schema_at(steps if kind not in ("extra_forbidden", "missing") else steps[:-1], document.data)
    if kind == "missing":
        what = f"is missing{_purpose(schema)}"
    elif kind == "extra_forbidden":
        what = f"is not known here{nearest(str(steps[-1]), (schema or {}).get('properties', ()))}{_purpose(schema)}"
    elif kind == "union_tag_not_found":
        what = f"needs {context['discriminator'].strip(chr(39))}, which says how pages are asked for"
    elif kind == "union_tag_invalid":
        steps = (*steps, "style")
        styles = context["expected_tags"].replace("'", "")
        what = f"is {context['tag']!r}{nearest(context['tag'], styles.split(', '))}"
    elif kind == "value_error":
        what = f"is wrong: {context['error']}"
        if not steps:
            steps, what = _own_steps(str(context["error"]))
    elif kind in _SHOULD_BE:
        what = f"{_SHOULD_BE[kind]}, and is {_shape(_value(document.data, steps))}"
    else:
        what = mistake["msg"].replace("Input should be", "should be")
    return Mistake(steps, what)


def _own_steps(error: str) -> tuple[Steps, str]:
    """A mistake between streams begins with the path that it is about: ``streams.ideas.each.of: …``."""
    path, colon, what = error.partition(": ")
    return (tuple(path.split(".")), f"is wrong: {what}") if colon else ((), f"the contract is wrong: {error}")


def _steps_in_file(location: Steps, data: Json) -> Steps:
    """``location`` less the steps that only pydantic sees, such as the style that it chose."""
    steps: list[str | int] = []
    for position, step in enumerate(location):
        is_last = position == len(location) - 1
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            if not is_last:
                continue
        steps.append(step)
    return tuple(steps)


def _place(document: Document, steps: Steps) -> str:
    """The line of the value, or of the nearest map around it where the value itself is missing."""
    while steps and steps not in document.places:
        steps = steps[:-1]
    return f"{document.places[steps]}: " if steps else ""


def _purpose(schema: Json) -> str:
    """What the map is for that the mistake is in: the first sentence of its model's description."""
    description = " ".join((schema or {}).get("description", "").split("\n\n")[0].replace("``", "").split())
    return f" ({description})" if description else ""


def _schema_at(steps: Steps, data: Json) -> Json:
    """The JSON schema of what the contract can have at ``steps``, or None where it has nothing there."""
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
    """The kind of a value, never the value: a secret may stand there by mistake."""
    kinds = {dict: "a map", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return kinds.get(type(value), "a number")
