"""Change values in a YAML file, each with a comment, without touching the rest: comments, order and quotes stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from ideas_pipeline.contract.paging import STYLES
from ideas_pipeline.contract.types import Json, Steps

_BEFORE = "; before: "


def edited(text: str, changes: Iterable[tuple[Steps, Json, str]]) -> str:
    """Set values in YAML text.

    Args:
        text: the file's text, which is a map or empty.
        changes: for each value its path, the value, and a comment of one line without ``#``.

    Returns:
        The new text. A new paging style removes the settings of the old one from the same map. The comment of a changed
        line stays, after the new one. If an anchor shares a changed map with other places, they keep the old one.
    """
    yaml = YAML(pure=True)
    yaml.preserve_quotes = True
    yaml.width = 100_000
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.representer.add_representer(type(None), _null)
    document = yaml.load(text) if text.strip() else None
    if document is None:
        # A file of comments only: they stay at the top.
        document = CommentedMap()
        if text.strip():
            document.yaml_set_start_comment("\n".join(line.lstrip("#").strip() for line in text.splitlines()))
    for steps, value, comment in changes:
        _set(document, steps, value, comment)
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _set(document: CommentedMap, steps: Steps, value: Json, comment: str) -> None:
    at = document
    own = below_it = ""
    uses = Counter(map(id, _uses(document, set())))
    for step in steps[:-1]:
        below = at.get(step)
        if not isinstance(below, CommentedMap):
            own = _own_comment(at, step) if step in at else ""
            below_it = _lines_after(at, step) if step in at else _take_end(at)
            below = CommentedMap()
            at.ca.items.pop(step, None)
            at[step] = below
        elif uses[id(below)] > 1:
            below = at[step] = _own_copy(below)
        if below.fa.flow_style():
            # A comment has no place within braces.
            below.fa.set_block_style()
        at = below
    name = steps[-1]
    if name == "style" and len(steps) > 1 and steps[-2] == "paging":
        known = STYLES.get(str(value))
        for other in [n for n in at if known and n not in known.model_fields]:
            _remove(at, other)
    if name in at:
        own, below_it = _own_comment(at, name) or own, _lines_after(at, name) + below_it
    else:
        below_it = _take_end(at) + below_it
    at[name] = _node(value)
    _comment(at, name, f" # {_with_old(comment, own)}\n{below_it}")


def _uses(node: CommentedMap | CommentedSeq, visited: set[int]) -> Iterator[CommentedMap | CommentedSeq]:
    """Every map and list in ``node``, once for each place that contains it or merges it (``<<``)."""
    inside = [*node.values(), *(node.merge or ())] if isinstance(node, CommentedMap) else node
    for below in inside:
        if isinstance(below, CommentedMap | CommentedSeq):
            yield below
            if id(below) not in visited:
                visited.add(id(below))
                yield from _uses(below, visited)


def _own_copy(node: CommentedMap) -> CommentedMap:
    """A copy of a map for one place alone, without anchors."""
    copied = deepcopy(node)
    for part in (copied, *_uses(copied, set())):
        part.yaml_set_anchor(None)
    return copied


def _with_old(comment: str, old: str) -> str:
    """The comment of a changed line: the reason for the change, then the line's first comment."""
    first = old.rpartition(_BEFORE)[2]
    return f"{comment}{_BEFORE}{first}" if first and first != comment else comment


def _remove(at: CommentedMap, name: str) -> None:
    """Remove a value. Whole lines of comments below it move to the value before, or above the value after it."""
    names = list(at)
    position = names.index(name)
    below_it = _lines_after(at, name)
    del at[name]
    if not below_it:
        return
    if position:
        before = names[position - 1]
        token = _token(at, before)
        _comment(at, before, (token.value if token else "\n") + below_it)
    elif len(names) > 1:
        at.yaml_set_comment_before_after_key(
            names[1], "\n".join(line.strip().removeprefix("#").strip() for line in below_it.splitlines()), at.lc.col
        )


def _take_end(at: CommentedMap) -> str:
    """Take the comments and blank lines below the last value of a map, so that a new value stands above them."""
    if not at:
        return ""
    last = list(at)[-1]
    below = at[last]
    if isinstance(below, CommentedMap) and below and not below.fa.flow_style():
        return _take_end(below)
    token, end = _token(at, last), _lines_after(at, last)
    if token is None or not end:
        return ""
    _comment(at, last, str(token.value).partition("\n")[0] + "\n")
    return end


def _token(at: CommentedMap, name: str | int) -> CommentToken | None:
    """The comment after a value, with all lines up to the next value."""
    found = at.ca.items.get(name)
    return found[2] if found else None


def _own_comment(at: CommentedMap, name: str | int) -> str:
    """The comment on the line of a value, without ``#``."""
    token = _token(at, name)
    return str(token.value).partition("\n")[0].strip().removeprefix("#").strip() if token else ""


def _lines_after(at: CommentedMap, name: str | int) -> str:
    """The comments and blank lines below the line of a value."""
    token = _token(at, name)
    # Without a comment on the line itself, the text begins with the line break.
    return str(token.value).partition("\n")[2] if token else ""


def _comment(at: CommentedMap, name: str | int, text: str) -> None:
    above = at.ca.items.get(name, [None, None])[1]
    at.ca.items[name] = [None, above, CommentToken(text, CommentMark(0), None), None]


def _node(value: Json) -> Any:
    """Lists and maps on one line; texts with braces in quotes."""
    if isinstance(value, Mapping):
        node = CommentedMap((name, _node(item)) for name, item in value.items())
        node.fa.set_flow_style()
        return node
    if isinstance(value, list | tuple):
        sequence = CommentedSeq(_node(item) for item in value)
        sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and (value.startswith(("@", "{", "[")) or value.endswith("}")):
        return DoubleQuotedScalarString(value)
    return value


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
