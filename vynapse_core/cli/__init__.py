# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line. Command modules import only click at their top, so that `vynapse --help` is quick."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from vynapse_core import __version__
from vynapse_core.cli.examples import examples
from vynapse_core.errors import PluginError, VynapseError, nearest

if TYPE_CHECKING:
    from vynapse_core.plugins import Plugin

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
FAILED = 1
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
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            hint = nearest(args[0], self.list_commands(ctx)) or "see vynapse --help"
            hint += "".join(f"; {plugin.package} failed to load: {plugin.failure}" for plugin in _failures())
            raise click.UsageError(f"unknown command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program; what the terminal's encoding lacks is printed as a question mark."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            _show(error, traceback=False)
            _flush_output()
            sys.exit(FAILED)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Return the context of a call, which all its commands print in."""
        return super().make_context(*args, **({"color": _color()} | kwargs))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is wrong is said in words, with the exit code of its kind."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            _show(error, traceback=bool(ctx.params.get("traceback")))
            ctx.exit(error.exit_code if isinstance(error, VynapseError) else FAILED)
        finally:
            _flush_output()


def contributed() -> Mapping[str, click.Command]:
    """Return the commands of the installed plugins; what cannot be had of them is told on stderr, once."""
    from vynapse_core import plugins

    return _commands(plugins.installed())


@cache
def _commands(installed: tuple[Plugin, ...]) -> Mapping[str, click.Command]:
    """Return the commands of plugins by name: of two with one name the first, and never one with the kernel's."""
    found: dict[str, click.Command] = {}
    owners = dict.fromkeys(COMMANDS, "vynapse")
    for plugin in installed:
        try:
            offered = _offered(plugin)
        except Exception as error:
            _warn(f"{plugin.package} gives no commands: {type(error).__name__}: {error}")
            continue
        for name, command in offered.items():
            if owners.setdefault(name, plugin.package) == plugin.package and name not in found:
                found[name] = command
            else:
                _warn(f"{plugin.package} offers the command {name!r}, which {owners[name]} has; that one is used")
    return found


def _offered(plugin: Plugin) -> dict[str, click.Command]:
    """Return the commands of a plugin. Raises PluginError for what is no mapping of names to commands."""
    function = getattr(plugin.module, "vynapse_commands", None)
    offered = function() if function is not None and hasattr(function, "vynapse_impl") else {}
    if not isinstance(offered, Mapping):
        raise PluginError(f"vynapse_commands returned {type(offered).__name__}, not a mapping of names")
    for name, command in offered.items():
        if not isinstance(name, str) or not isinstance(command, click.Command):
            raise PluginError(f"vynapse_commands: {name!r} is {command!r}, not a click command")
    return dict(offered)


def _failures() -> list[Plugin]:
    """Return the plugins that did not load, any of which may have the command that is not found."""
    from vynapse_core import plugins

    return [plugin for plugin in plugins.installed() if plugin.failure]


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


def _show(error: Exception, *, traceback: bool) -> None:
    """Print an error on stderr: ours as it is, the system's with its file, any other as the fault it is."""
    if traceback:
        from traceback import print_exception

        print_exception(error)
    if isinstance(error, VynapseError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror + (f": {error.filename}" if error.filename else "")
    else:
        text = f"{type(error).__name__}: {error}\n  This is a fault in Vynapse or a plugin, not in what you typed;"
        text += " 'vynapse --traceback …' shows where."
    click.echo(f"{click.style('error:', fg='red', bold=True)} {text}", err=True, color=_color())


def _color() -> bool | None:
    """Return whether to print in colour: never where $NO_COLOR is set, else wherever there is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _flush_output() -> None:
    """Flush stdout; where its reader has gone, drop what is left, so that Python does not complain at its exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "vynapse new recipe xor.toml        write a recipe to start from",
        "vynapse run xor.toml               run it",
        "vynapse run xor.toml --seeds 5     run five seeds, and summarise them",
        "vynapse compare runs/xor           compare what has been run",
    ),
)
@click.option("--traceback", is_flag=True, help="Where an error occurs, show the lines of code that led to it.")
@click.version_option(__version__, prog_name="vynapse")
def main(traceback: bool) -> None:
    """Evolution, NEAT, gradient descent and their mixtures, from one recipe."""
