"""``ideas-pipeline completion``: the Tab key in bash, zsh and fish."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_PROGRAM = "ideas-pipeline"
_VARIABLE = "_IDEAS_PIPELINE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the script with which your shell completes commands, options and streams.

    \b
    Examples:  echo 'eval "$(ideas-pipeline completion bash)"' >> ~/.bashrc
               echo 'eval "$(ideas-pipeline completion zsh)"' >> ~/.zshrc
               ideas-pipeline completion fish > ~/.config/fish/completions/ideas-pipeline.fish
    """
    program = click.get_current_context().find_root().command
    click.echo(_SHELLS[shell](program, {}, _PROGRAM, _VARIABLE).source())


def streams(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The contract's streams that begin so, for an option that takes one. None where there is something to mend."""
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.errors import ContractError, SettingsError
    from ideas_pipeline.settings import load_settings

    try:
        known = load_contract(load_settings().contract).order()
    except (SettingsError, ContractError):
        return []
    return [stream for stream in known if stream.startswith(begun)]
