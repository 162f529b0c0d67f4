"""``python -m distillgame``."""

from distillgame.cli.main import main

main()
