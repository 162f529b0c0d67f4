"""Check that a row of a ragged batch does not depend on the others, once per architecture and configuration.

Some models take frequencies or windows from the longest row of the batch (LongRoPE, dynamic RoPE scaling, GPT-Neo's
local attention). A trace would then depend on its neighbours, and nobody would notice.
"""

from typing import Any

import torch

from distillgame.decoding.networks.context import Context
from distillgame.errors import DistillgameError

SHORT = 6
"""Length of the row that is compared."""

LONGEST = 600
"""Most tokens that a probe reads: windows beyond it are those of :class:`Attention`, whose masks are ours."""

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Largest difference between logits, root mean square, in standard deviations of the logits."""

HALF_TOLERANCE = 0.15
"""The same for half precision, where products of other shapes round differently."""

WINDOWS = ("window_size", "sliding_window", "attention_window", "local_attention", "attention_chunk_size")

_found: dict[tuple[Any, ...], str | None] = {}


def require_independent_rows(model: Any) -> None:
    """Compare a ragged batch with its rows alone, unless that was done for the same class and configuration.

    Raises:
        DistillgameError: If a row depends on its neighbours, or the model cannot read a ragged batch.
    """
    parameter = next(model.parameters())
    key = (type(model), model.config.to_json_string(use_diff=False), parameter.dtype, parameter.device.type)
    if key not in _found:
        _found[key] = _reason(model)
    if (reason := _found[key]) is not None:
        raise DistillgameError(reason)


def _reason(model: Any) -> str | None:
    kind = type(model).__name__
    try:
        with torch.inference_mode():
            unlike = _unlike_itself(model)
            worst = max(_by_length(model), _by_position(model))
    except DistillgameError as error:
        return str(error)
    except Exception as error:  # Each architecture fails in its own way.
        text = " ".join(str(error).split())[:160]
        return (
            f"model {kind}: it cannot read sequences of different lengths in a batch ({type(error).__name__}: {text})"
        )
    tolerance = TOLERANCE.get(next(model.parameters()).dtype, HALF_TOLERANCE)
    if unlike > tolerance:
        return (
            f"model {kind}: read with the engine's masks, positions and cache, a sequence alone has other logits than "
            "in a plain pass, so what would be sampled is not the model's; it is not supported"
        )
    if worst <= tolerance:
        return None
    return (
        f"model {kind}: the logits of a sequence change with the lengths of the others in its batch{_cause(model)}, so "
        "a trace would depend on its neighbours; use a model whose positions and windows do not depend on the batch"
    )


def _unlike_itself(model: Any) -> float:
    """Return the largest difference between a plain pass over a sequence and the engine's, in two parts."""
    tokens = _tokens(model, SHORT)
    device = next(model.parameters()).device
    # Without positions: the model's own may begin elsewhere, as RoBERTa's do.
    plain = model(input_ids=torch.tensor([tokens], device=device), use_cache=False).logits[0].float()
    context = Context(model)
    first = context.admit([tokens[:-2]])[0]
    rest = context.read([tokens[-2:]])[0]
    return max(_difference(plain[-3], first), _difference(plain[-2:], rest))


def _by_length(model: Any) -> float:
    """Return the largest difference of a short row read alone and beside a long one: prompt, token, several tokens."""
    tokens = _tokens(model, SHORT + _long(model))
    short, long = tokens[:SHORT], tokens[SHORT:]
    alone, beside = Context(model), Context(model)
    # The long row comes last, so that a state that it leaves behind is seen in the rows read alone, too.
    worst = _difference(alone.admit([short])[0], beside.admit([short, long])[0])
    for block in (tokens[:1], tokens[1:3]):
        worst = max(worst, _difference(alone.read([block])[0], beside.read([block, tokens[2:3]])[0, : len(block)]))
    return worst


def _by_position(model: Any) -> float:
    """Return the difference of a row alone, beside one at far positions, and alone again.

    Frequencies follow positions, so no long sequence is needed to cross a threshold.
    """
    config = model.config.get_text_config()
    last = getattr(config, "max_position_embeddings", None)
    if last is None or last <= 2 * SHORT:
        return 0.0
    if getattr(config, "rope_parameters", None):
        # Dynamic scaling begins where the context ends, and rotary positions have no table that could end.
        last *= 2
    device = next(model.parameters()).device
    near = torch.arange(SHORT, device=device)
    rows = torch.tensor([_tokens(model, SHORT)], device=device)
    alone = model(input_ids=rows, position_ids=near[None], use_cache=False).logits[0].float()
    far = torch.stack([near, near + last - SHORT])
    before = _frequencies(model)
    mixed = model(input_ids=rows.expand(2, -1), position_ids=far, use_cache=False).logits[0].float()
    if any(not torch.equal(frequencies, before[name]) for name, frequencies in _frequencies(model).items()):
        return float("inf")  # Among the few near positions the logits hardly show it, in half precision not at all.
    again = model(input_ids=rows, position_ids=near[None], use_cache=False).logits[0].float()
    return max(_difference(alone, mixed), _difference(alone, again))


def _frequencies(model: Any) -> dict[str, torch.Tensor]:
    """Return copies of the rotary embeddings' frequencies."""
    return {name: buffer.clone() for name, buffer in model.named_buffers() if name.endswith("inv_freq")}


def _long(model: Any) -> int:
    """Return the length of the long row: beyond every window that can be crossed, within the context."""
    config = model.config.get_text_config()
    named = [getattr(config, name, None) for name in WINDOWS]
    windows = [w for w in named if isinstance(w, int) and w + 4 * SHORT <= LONGEST]
    context = getattr(config, "max_position_embeddings", None) or LONGEST
    return int(max(SHORT, min(max([0, *windows]) + 4 * SHORT, context - SHORT)))


def _tokens(model: Any, count: int) -> list[int]:
    size = int(model.get_input_embeddings().weight.shape[0])
    return [1 + (37 * i) % max(1, size - 1) for i in range(count)] if size > 1 else [0] * count


def _difference(alone: torch.Tensor, beside: torch.Tensor) -> float:
    # Logits that are not finite by themselves say nothing about neighbours; the engine ends such a sequence.
    finite = alone.isfinite()
    if int(finite.sum()) < 2:
        return 0.0
    alone, beside = alone[finite], beside[finite]
    difference = (alone - beside).square().mean().sqrt() / alone.std().clamp(min=1e-12)
    return float("inf") if bool(difference.isnan()) else float(difference)


def _cause(model: Any) -> str:
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [rope.get("rope_type"), *(part.get("rope_type") for part in rope.values() if isinstance(part, dict))]
    moving = [kind for kind in kinds if kind and ("dynamic" in kind or kind == "longrope")]
    if moving:
        return f" (its configuration names RoPE of type '{moving[0]}')"
    windows = [f"{name}: {w}" for name in WINDOWS if isinstance(w := getattr(config, name, None), int)]
    return f" (its configuration names {windows[0]})" if windows else ""
