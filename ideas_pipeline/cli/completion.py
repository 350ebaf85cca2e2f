"""``ideas-pipeline completion``: the Tab key in bash, zsh and fish."""

from __future__ import annotations

import click

_PROGRAM = "ideas-pipeline"
_VARIABLE = "_IDEAS_PIPELINE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script with which your shell completes commands, options and streams.

    \b
    Examples:  echo 'eval "$(ideas-pipeline completion bash)"' >> ~/.bashrc
               echo 'eval "$(ideas-pipeline completion zsh)"' >> ~/.zshrc
               ideas-pipeline completion fish > ~/.config/fish/completions/ideas-pipeline.fish
    """
    from click.shell_completion import get_completion_class

    completes = get_completion_class(shell)
    assert completes is not None  # noqa: S101 - click knows the three that may be chosen
    click.echo(completes(click.get_current_context().find_root().command, {}, _PROGRAM, _VARIABLE).source())


def streams(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The contract's streams that begin so, for an option that takes one. None where there is something to mend."""
    from ideas_pipeline.ideas_api.contract_file import load_contract
    from ideas_pipeline.ideas_api.errors import ContractError
    from ideas_pipeline.settings import SettingsError, load_settings

    try:
        known = load_contract(load_settings().contract).order()
    except (SettingsError, ContractError):
        return []
    return [stream for stream in known if stream.startswith(begun)]
