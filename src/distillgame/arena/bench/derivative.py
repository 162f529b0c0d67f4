"""``distillgame derivative``: how exactly the proxy's derivative along g is computed, by method, step and precision."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.func import functional_call, jvp

from distillgame.arena.config import DEFAULT, GameConfig
from distillgame.arena.plan import Planner
from distillgame.arena.run import Run
from distillgame.arena.stages import GRADIENT
from distillgame.decoding import DERIVATIVE_STEP, LOW_RANK_ERROR
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, load_model, training_example
from distillgame.report import draw_derivative, render_derivative
from distillgame.values import IGNORED, Batch, Direction, collate, low_rank_pair, moved_copy

STEPS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
DROPPED = (0.3, 0.1, 0.05, 0.02, 0.01, 0.0)
"""Parts of the direction's norm that a low rank may drop."""


@dataclass(frozen=True)
class Agreement:
    """One way to compute the derivative, against forward mode in float64.

    Attributes:
        method: ``jvp``, ``central`` or ``low_rank``.
        dtype: Precision of weights and activations.
        step: Step along the unit-norm direction, None for forward mode.
        dropped: Part of the direction's norm that the low rank may drop, else None.
        mean_rank: Mean rank of the matrices' directions, where a rank was chosen.
        relative_error: Norm of the difference relative to the norm of the derivative, over positions and tokens.
        cosine: Cosine between the two.
    """

    method: str
    dtype: str
    step: float | None
    dropped: float | None
    mean_rank: float | None
    relative_error: float
    cosine: float


def compare_derivatives(
    config: GameConfig, out: Path, traces: int = 24, progress: Callable[[str], None] = lambda text: None
) -> list[Agreement]:
    """Compare all methods on a game's proxy, the defender's gradient and worked solutions of its holdout.

    Args:
        config: The game.
        out: The run's folder, where the gradient is computed if it is not there; gets ``derivative.json``,
            ``derivative.md`` and ``derivative.png``.
        traces: Number of solutions.
        progress: Told of each step.

    Raises:
        DistillgameError: If the game has no proxy or an input is bad.
    """
    if config.proxy is None:
        raise DistillgameError("the configuration has no proxy, so there is nothing to derive: name one under 'proxy'")
    stage = Planner(config).gradient(DEFAULT, config.seeds[0])
    with Run(out, config, progress=False) as run:
        run.compute([stage])
        device = run.store.device
        direction = load_file(run.folder(stage) / GRADIENT)
        proxy = load_model(stage.proxy.spec.model_copy(update={"dtype": "float32"}), device)
        examples = [
            training_example(proxy.tokenizer, example.messages, True)
            for example in stage.problems.reference_solutions()[:traces]
        ]
        batch = collate(examples, proxy.tokenizer.pad_token_id, device)
        direction = {name: part.to(device) for name, part in direction.items()}
        found = list(_agreements(proxy, direction, batch, progress))
        rows = [vars(agreement) for agreement in found]
        result = {"proxy": proxy.source, "positions": int((batch["labels"] != IGNORED).sum()), "rows": rows}
        (out / "derivative.json").write_text(json.dumps(result, indent=1) + "\n")
        (out / "derivative.md").write_text(render_derivative(result))
        draw_derivative(result, out / "derivative.png")
    return found


def _agreements(
    proxy: LanguageModel, direction: Direction, batch: Batch, progress: Callable[[str], None]
) -> Iterator[Agreement]:
    def compare(method: str, delta: torch.Tensor, dtype: str = "float32", **how: float) -> Agreement:
        ours = delta.double().flatten()
        error = float((ours - exact).norm() / exact.norm())
        cosine = float(torch.dot(ours, exact) / (ours.norm() * exact.norm()))
        known: dict[str, Any] = {"step": None, "dropped": None, "mean_rank": None, **how}
        return Agreement(method, dtype, relative_error=error, cosine=cosine, **known)

    model = proxy.model
    progress("forward mode, float64")
    exact = _forward_mode(model, direction, batch, torch.float64).flatten()
    for dtype in (torch.float32, torch.bfloat16):
        progress(f"forward mode, {dtype}")
        yield compare("jvp", _forward_mode(model, direction, batch, dtype), str(dtype).removeprefix("torch."))
    for dtype in (torch.float32, torch.bfloat16):
        for step in STEPS:
            progress(f"central differences, {dtype}, step {step:g}")
            yield compare("central", _central(model, direction, batch, step, dtype), str(dtype)[6:], step=step)
    for step, dropped in (*((s, LOW_RANK_ERROR) for s in STEPS), *((DERIVATIVE_STEP, d) for d in DROPPED)):
        progress(f"one low-rank pass, step {step:g}, dropping {dropped:g}")
        pair = low_rank_pair(model, direction, step, dropped)
        ranks = {id(m.factors): min(m.factors.right.shape) for m in pair.modules() if hasattr(m, "factors")}
        logprobs = _logprobs(pair, batch, sides=2)
        delta = (logprobs[0] - logprobs[1]) / (2 * step)
        mean = sum(ranks.values()) / len(ranks)
        yield compare("low_rank", delta, step=step, dropped=dropped, mean_rank=mean)


def _forward_mode(model: Any, direction: Direction, batch: Batch, dtype: torch.dtype) -> torch.Tensor:
    eager = copy.deepcopy(model).to(dtype)
    eager.set_attn_implementation("eager")
    parameters = {name: p.detach() for name, p in eager.named_parameters()}
    tangents = {name: direction[name].to(p) for name, p in parameters.items()}

    def run(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return _logprobs(lambda **inputs: functional_call(eager, values, kwargs=inputs), batch)[0]

    with torch.no_grad():
        derivative: torch.Tensor = jvp(run, (parameters,), (tangents,))[1]
    return derivative


def _central(model: Any, direction: Direction, batch: Batch, step: float, dtype: torch.dtype) -> torch.Tensor:
    plus, minus = (_logprobs(moved_copy(model, direction, sign * step, dtype), batch)[0] for sign in (1, -1))
    return (plus - minus) / (2 * step)


@torch.no_grad()
def _logprobs(network: Callable[..., Any], batch: Batch, sides: int = 1) -> list[torch.Tensor]:
    """Log-probabilities at all positions that predict a token of a solution, each of shape (N, V).

    The network reads every row once for each of ``sides``, and one result comes for each.
    """
    ids, mask = (batch[name].repeat_interleave(sides, 0) for name in ("input_ids", "attention_mask"))
    positions = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    logits = network(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    logits = logits if logits.dtype == torch.float64 else logits.float()
    wanted = batch["labels"][:, 1:] != IGNORED
    return [torch.log_softmax(logits[side::sides, :-1][wanted], -1) for side in range(sides)]
