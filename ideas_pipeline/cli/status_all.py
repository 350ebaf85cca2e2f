"""``ideas-pipeline status`` of several communities: one row for each, and what needs attention first."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ideas_pipeline.cli.failures import Failed, failure, secrets_of
from ideas_pipeline.cli.status import COLOURS, Seen, grouped, look, plain
from ideas_pipeline.errors import IdeasApiError, SettingsError, WarehouseError
from ideas_pipeline.text import in_one_line

# The worst first.
_ORDER = ("error", "attention", "running", "empty", "doubtful", "well")
_LONGEST = 160


def status_all(*, as_json: bool) -> int:
    """Print the state of every community. Return 0, or the exit code of one that cannot be shown."""
    from ideas_pipeline.communities import each_community

    configured = each_community()
    secrets = secrets_of(one for one in configured.values() if not isinstance(one, SettingsError))
    seen: dict[str, Seen | Failed] = {}
    for name, settings in configured.items():
        try:
            if isinstance(settings, SettingsError):
                raise settings
            seen[name] = look(settings)
        except (SettingsError, IdeasApiError, WarehouseError) as error:
            seen[name] = failure(error, secrets, settings)
    verdicts = {name: _verdict(one) for name, one in seen.items()}
    verdict = next(word for word in _ORDER if word in verdicts.values())
    summary = summary_of(verdicts)
    if as_json:
        communities = [
            {"community": name, "verdict": "error", "exit_code": one.exit_code, "error": one.message}
            if isinstance(one, Failed)
            else one.as_json()
            for name, one in seen.items()
        ]
        shown = {"verdict": verdict, "summary": summary, "communities": communities}
        print(json.dumps(shown, indent=2, default=plain))
    else:
        _print(seen, summary, COLOURS.get(verdict, COLOURS["attention"]))
    codes = [one.exit_code for one in seen.values() if isinstance(one, Failed)]
    return min(codes, default=0)


def _verdict(one: Seen | Failed) -> str:
    return "error" if isinstance(one, Failed) else one.report.verdict


def summary_of(verdicts: Mapping[str, str]) -> str:
    """The verdicts of communities, given by name, as one sentence."""
    several = len(verdicts) > 1
    worse = [name for name, verdict in verdicts.items() if verdict in ("error", "attention")]
    if worse:
        who = f"{len(worse)} of {len(verdicts)} communities need you" if several else "one community needs you"
        return f"Attention: {who}: {', '.join(worse)}."
    everything = f"all {len(verdicts)} communities" if several else next(iter(verdicts))
    waiting = [name for name, verdict in verdicts.items() if verdict in ("running", "empty")]
    if waiting:
        return f"Not everything of {', '.join(waiting)} is complete yet."
    doubtful = [name for name, verdict in verdicts.items() if verdict == "doubtful"]
    if doubtful:
        return f"Everything of {everything} is complete, but numbers of {', '.join(doubtful)} can be wrong."
    return f"All is well with {everything}."


def _print(seen: Mapping[str, Seen | Failed], summary: str, colour: str) -> None:
    from ideas_pipeline.cli.output import as_text, console, table

    out = console()
    out.print(as_text(summary, colour))
    headers = ("community", "state", "last complete (UTC)", "rows", "errors", "warnings")
    out.print(table(headers, [_row(name, one) for name, one in seen.items()]))
    for name, one in seen.items():
        for line in _lines(one):
            out.print(f"{name}: {line}")
    out.print(f"More: ideas-pipeline status --community {next(iter(seen))}")


def _row(name: str, one: Seen | Failed) -> tuple[object, ...]:
    from ideas_pipeline.times import ago

    if isinstance(one, Failed):
        return (name, "error", None, None, None, None)
    report = one.report
    complete = [report.known.last_complete.get(stream) for stream in one.streams]
    times = [at for at in complete if at]
    since = min(times) if times and len(times) == len(complete) else None
    errors = sum(finding.severity == "error" for finding, _ in grouped(report.findings))
    return (
        name,
        report.verdict,
        f"{since:%Y-%m-%d %H:%M}, {ago(since, report.now)}" if since else "never",
        sum(s.rows for s in report.known.streams),
        errors,
        len(grouped(report.findings)) - errors,
    )


def _lines(one: Seen | Failed) -> list[str]:
    """The most important thing to do, and what is running."""
    if isinstance(one, Failed):
        return [in_one_line(one.message)]
    if one.report.verdict == "empty":
        return [one.report.summary]
    lines = [f"Running: {one.holder}."] if one.holder else []
    first = next((finding for finding in one.report.findings if finding.severity == "error" or finding.is_doubt), None)
    if first is not None:
        of = f"{first.stream}: " if first.stream else ""
        what = first.what if len(first.what) <= _LONGEST else f"{first.what[:_LONGEST].rstrip()} …"
        lines.append(f"{of}{what} → {first.do}")
    return lines
