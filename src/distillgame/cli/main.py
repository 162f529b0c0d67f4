"""The command line: one file a verb, no logic."""

import atexit
import gc
import sys
import traceback
from typing import Any

import click

from distillgame import __version__
from distillgame.errors import DistillgameError

VERBS = {
    "play": "distillgame.cli.play",
    "sample": "distillgame.cli.sample",
    "distill": "distillgame.cli.distill",
    "evaluate": "distillgame.cli.evaluate",
    "sweep": "distillgame.cli.sweep",
    "attack": "distillgame.cli.attack",
    "report": "distillgame.cli.report",
    "leaderboard": "distillgame.cli.leaderboard",
    "tune": "distillgame.cli.tune",
    "values": "distillgame.cli.values",
    "judge": "distillgame.cli.judge",
    "attribute": "distillgame.cli.attribute",
    "calibrate": "distillgame.cli.calibrate",
    "serve": "distillgame.cli.serve",
    "keys": "distillgame.cli.keys",
    "ledger": "distillgame.cli.ledger",
    "worlds": "distillgame.cli.worlds",
    "solve": "distillgame.cli.solve",
    "bench": "distillgame.cli.bench",
    "derivative": "distillgame.cli.derivative",
}
"""Each verb's module, which holds a command of the verb's name; it imports PyTorch and the like only when it runs."""


class Verbs(click.Group):
    """Loads a verb's module only when that verb is asked for, so that ``--help`` does not wait for PyTorch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in VERBS:
            return None
        module = __import__(VERBS[cmd_name], fromlist=[cmd_name])
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Play the distillation game: defend a teacher, attack the defense, report both."""
    context.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 if all went well, 2 for an error of the user's or of the data's."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    # At its end Python looks for garbage among all that was imported: two seconds once PyTorch and transformers were.
    atexit.register(gc.freeze)
    try:
        outcome: Any = cli.main(arguments, prog_name="distillgame", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        _fail("interrupted; finished stages are kept, start again to go on", 130)
    except KeyboardInterrupt:
        _fail("interrupted; finished stages are kept, start again to go on", 130)
    except DistillgameError as error:
        if debug:
            traceback.print_exc()
            sys.stderr.write(getattr(error, "details", ""))
        _fail(str(error), 2)
    except Exception as error:
        if debug:
            traceback.print_exc()
        _fail(f"{type(error).__name__}: {error} (unforeseen; --debug shows where)", 2)
    sys.exit(outcome if isinstance(outcome, int) else 0)


def _fail(message: str, status: int) -> None:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
