# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line. Command modules import only click at their top, so that `vynapse --help` is quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from vynapse_core import __version__
from vynapse_core.errors import VynapseError

COMMANDS = (
    "run",
    "resume",
    "check",
    "plugins",
    "list",
    "describe",
    "schema",
    "compare",
    "new",
    "bench",
    "completion",
)
INTERRUPTED = 130


class Commands(click.Group):
    """The kernel's commands, imported one at a time, and those that plugins contribute."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, the kernel's in the order of their use."""
        return [*COMMANDS, *sorted(set(contributed()) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name; a plugin cannot replace one of the kernel's."""
        if cmd_name in COMMANDS:
            command: click.Command = import_module(f"vynapse_core.cli.{cmd_name}").command
            return command
        return contributed().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which known name is nearest."""
        from vynapse_core.errors import nearest

        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            hint = nearest(args[0], self.list_commands(ctx)) or "see vynapse --help"
            raise click.UsageError(f"unknown command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is wrong is said in words, with the exit code of its kind."""
        try:
            return super().invoke(ctx)
        except VynapseError as error:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


def contributed() -> dict[str, click.Command]:
    """Return the commands of the installed plugins; one that fails to give them is named on stderr."""
    from vynapse_core import plugins

    found: dict[str, click.Command] = {}
    for plugin in plugins.installed():
        function = getattr(plugin.module, "vynapse_commands", None)
        if function is None:
            continue
        try:
            found |= function()
        except Exception as error:
            click.echo(
                f"warning: {plugin.package} gives no commands: {type(error).__name__}: {error}", err=True
            )
    return found


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="vynapse")
def main() -> None:
    """Evolution, NEAT, gradient descent and their mixtures, from one recipe.

    \b
    vynapse new recipe xor.toml          write a recipe to start from
    vynapse run xor.toml                 run it
    vynapse run xor.toml --seeds 5       run five seeds, and summarise them
    vynapse compare runs/xor             compare what has been run
    """  # noqa: D301
