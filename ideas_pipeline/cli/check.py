"""``ideas-pipeline check``: compare the live API with the contract, and print contract lines that fix differences."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ideas_pipeline.cli import options
from ideas_pipeline.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ideas_pipeline.probe.step import Step
    from ideas_pipeline.settings import Settings
    from ideas_pipeline.sync.nights import SyncCosts

# A person waits for the check, so an API that cannot be reached is reported soon.
_ATTEMPTS, _SECONDS = 2, 60


@click.command()
@click.option("--contract", type=click.Path(path_type=Path), help="Contract file, in place of IDEAS_CONTRACT.")
@click.option("--verbose", is_flag=True, help="List everything that agrees, and the confirmed assumptions.")
@options.as_json
@options.community
def check(contract: Path | None, verbose: bool, as_json: bool) -> None:
    """Compare the live API with the contract, step by step.

    It sends a few read requests per stream and does not touch the warehouse. It shows names and kinds of values, never
    values, and ends with the lines for your contract file that fix the differences.

    \b
    Examples:  ideas-pipeline check
               ideas-pipeline check --contract ours.yaml --verbose

    \b
    Exit codes:  0 everything agrees, 1 the API failed, 2 wrong configuration, contract or credentials,
                 3 the API works, but differs from the contract.
    """
    from ideas_pipeline.app import open_client
    from ideas_pipeline.cli.output import console
    from ideas_pipeline.contract import load
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.probe import probe
    from ideas_pipeline.sync.contract_fit import load_fitting_contract
    from ideas_pipeline.sync.nights import estimate_nights

    settings = options.load_settings()
    if settings.simulated:
        missing, do = options.without_client(settings)
        raise SettingsError(
            f"no API can be checked: {missing}. {do}, or run `ideas-pipeline simulate` in another terminal and paste"
            " the lines that it prints."
        )
    override = contract or settings.contract
    expected = load_fitting_contract(override)
    limits = expected.limits.model_copy(update={"attempts": _ATTEMPTS, "deadline": _SECONDS})
    base_url = settings.base_url(expected)
    with console(sys.stderr).status("Checking the API …"):
        quick = expected.model_copy(update={"limits": limits})
        steps = list(probe.check(quick, lambda c: open_client(settings, c)))
    for step in steps:
        step.hint = step.hint and settings.worded(step.hint)
    assumed = load.assumed(override)
    confirmed = [place for place in assumed if any(place in step.confirmed for step in steps)]
    code = _exit_code(steps)
    sizes = {step.name: step.size for step in steps if step.size}
    costs = estimate_nights(expected, sizes, settings.verify_days)
    if as_json:
        shown = options.which(settings) | _as_json(steps, assumed, confirmed, base_url, code)
        shown["estimate"] = asdict(costs) if costs else None
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _print(console(), settings, steps, verbose=verbose)
        _print_assumed(console(), assumed, confirmed, verbose)
        if costs:
            _print_estimate(console(), costs, settings)
    raise click.exceptions.Exit(code)


def _exit_code(steps: Sequence[Step]) -> int:
    from ideas_pipeline.errors import AuthenticationError, ContractError

    failures = [step.error for step in steps if step.error]
    if any(isinstance(error, AuthenticationError | ContractError) for error in failures):
        return 2
    if failures:
        return 1
    return 3 if any(step.verdict == "differs" for step in steps) else 0


def _as_json(
    steps: Sequence[Step], assumed: list[str], confirmed: list[str], base_url: str, code: int
) -> dict[str, Any]:
    from ideas_pipeline.probe.step import all_fixes

    hidden = ("error", "confirmed", "first_list", "size")
    shown = [{name: value for name, value in vars(step).items() if name not in hidden} for step in steps]
    return {
        "base_url": base_url,
        "exit_code": code,
        "steps": shown,
        "fix": all_fixes(steps),
        "assumed": {"confirmed": confirmed, "not_confirmed": [place for place in assumed if place not in confirmed]},
    }


def _print(out: Console, settings: Settings, steps: Sequence[Step], *, verbose: bool) -> None:
    from ideas_pipeline.cli.output import table
    from ideas_pipeline.contract.yaml_file import to_yaml
    from ideas_pipeline.probe.step import all_fixes

    rows = [(step.name, step.verdict, step.requests, step.records or None, _found(step)) for step in steps]
    out.print(table(("step", "verdict", "requests", "records", "what was found"), rows))
    for step in steps:
        if step.reason and step.verdict == "failed":
            out.print(f"{step.name} failed: {step.reason}. {step.hint or ''}".rstrip())
        for sentence in step.differs:
            out.print(f"{step.name} differs: {sentence}.")
        for sentence in step.questions:
            out.print(f"{step.name}: {sentence}.")
        if verbose:
            for sentence in (*step.agrees, *step.notes):
                out.print(f"{step.name}: {sentence}.")
    _print_lists(out, steps)
    if fix := all_fixes(steps):
        out.print()
        out.print(settings.worded("Add these lines to your contract file (IDEAS_CONTRACT), then run the check again."))
        out.print("Null removes a field from the contract; delete that line if your API sends the field sometimes.")
        out.print()
        for line in to_yaml(fix).splitlines():
            out.print(line, soft_wrap=True)
        out.print()


def _print_lists(out: Console, steps: Sequence[Step]) -> None:
    not_mapped = [(s.name, f"{path} ({kinds})") for s in steps for path, kinds in s.not_mapped.items()]
    not_sent = [(s.name, column) for s in steps for column in s.not_sent]
    for heading, found in (
        ("Sent by the API, but not mapped by the contract (kept in _extra):", not_mapped),
        ("Mapped by the contract, but in no record:", not_sent),
    ):
        if found:
            out.print()
            out.print(heading)
        for name in dict.fromkeys(name for name, _ in found):
            out.print(f"  {name}: {', '.join(what for of, what in found if of == name)}", soft_wrap=True)


def _found(step: Step) -> str:
    if step.reason:
        return step.reason
    if step.differs:
        more = f", and {len(step.differs) - 1} more" if len(step.differs) > 1 else ""
        return step.differs[0] + more
    return "; ".join(step.agrees or step.notes)


def _print_assumed(out: Console, assumed: list[str], confirmed: list[str], verbose: bool) -> None:
    more = "" if verbose else " (--verbose lists them)"
    out.print()
    out.print(f"This API confirms {len(confirmed)} of the contract's {len(assumed)} assumed values{more}.")
    if verbose:
        for heading, places in (
            ("Confirmed", confirmed),
            ("Still assumed", [p for p in assumed if p not in confirmed]),
        ):
            out.print()
            out.print(f"{heading}:")
            for place in places:
                out.print(f"  {place}", soft_wrap=True)


def _print_estimate(out: Console, costs: SyncCosts, settings: Settings) -> None:
    from ideas_pipeline.times import duration

    out.print()
    out.print("Estimated from first pages and the counts of parents:")
    for what, work in (("The first sync", costs.first), ("A night without a change", costs.quiet)):
        out.print(f"  {what}: about {counted(work.requests, 'request')} and {duration(work.seconds)} ({work.because}).")
    name = settings.named("verify_days")
    if costs.verified_within == settings.verify_days:
        out.print(f"  Every list is read again within {counted(settings.verify_days, 'night')} ({name}).")
        return
    within = f"within {counted(costs.verified_within, 'night')}" if costs.verified_within else "never"
    out.print(f"  Every list is read again {within}, not within {settings.verify_days} ({name}):")
    out.print("  the contract's limit of requests per hour allows no more. One list of all rows needs fewer requests.")
