"""Tables and figures of other studies than games: benches, derivatives and exact solutions."""

from distillgame.report.studies.bench import case_name, draw_bench, render_bench
from distillgame.report.studies.derivative import draw_derivative, render_derivative
from distillgame.report.studies.solution import draw_solution, render_solution
from distillgame.report.studies.vllm import render_vllm_bench

__all__ = [
    "case_name",
    "draw_bench",
    "draw_derivative",
    "draw_solution",
    "render_bench",
    "render_derivative",
    "render_solution",
    "render_vllm_bench",
]
