"""The owner's view of the ledger: the dashboard and plots."""

from distillgame.gateway.owner.dashboard import render_dashboard
from distillgame.gateway.owner.plot import plot_released

__all__ = ["plot_released", "render_dashboard"]
