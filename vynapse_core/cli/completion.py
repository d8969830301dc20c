# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse completion`."""

from __future__ import annotations

import click

from vynapse_core.cli.examples import examples


@click.command(
    epilog=examples(
        'eval "$(vynapse completion bash)"        in ~/.bashrc',
        'eval "$(vynapse completion zsh)"         in ~/.zshrc',
        "vynapse completion fish > ~/.config/fish/completions/vynapse.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a shell's completion script."""
    from click.shell_completion import get_completion_class

    from vynapse_core.cli import main

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"click knows no completion for {shell}")
    click.echo(found(main, {}, "vynapse", "_VYNAPSE_COMPLETE").source())
