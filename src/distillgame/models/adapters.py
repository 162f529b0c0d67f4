"""Merge PEFT adapters into their base model, or refuse: an adapter that is read in part is another model."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from distillgame.errors import DistillgameError

if TYPE_CHECKING:
    from peft import PeftConfig

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Largest difference between merged and unmerged logits, root mean square, in standard deviations of the logits."""

HALF_TOLERANCE = 0.1
"""The same for half precision, where merging rounds."""


def merge(base: Any, config: "PeftConfig", folder: Path, tokens: int, source: str) -> Any:
    """Merge the adapters in ``folder`` into ``base``, which is changed.

    Args:
        base: The base network.
        config: The adapters' configuration.
        folder: The folder that holds them.
        tokens: Size of the tokenizer that belongs to them.
        source: The source's name, for messages.

    Returns:
        The merged network.

    Raises:
        DistillgameError: If a weight is missing, unused or of another shape, or merging changes the logits.
    """
    from peft import PeftModel
    from peft.utils import load_peft_weights

    try:
        weights = load_peft_weights(str(folder), device="cpu")
        _fit(base, config, weights, tokens)
        adapted = PeftModel.from_pretrained(base, str(folder)).eval()
    except Exception as error:  # What PEFT raises for damaged files has no common ancestor.
        reason = " ".join(str(error).split())[:200]
        raise DistillgameError(f"model '{source}': its adapters do not fit their base model: {reason}") from error
    _require_all(adapted, set(weights), source)
    probe = torch.arange(min(32, base.get_input_embeddings().weight.shape[0]), device=base.device)[None]
    with torch.inference_mode():
        expected = adapted(input_ids=probe).logits.float()
    merged = adapted.merge_and_unload()
    with torch.inference_mode():
        change = (merged(input_ids=probe).logits.float() - expected).square().mean().sqrt() / expected.std()
    if not float(change) <= TOLERANCE.get(base.dtype, HALF_TOLERANCE):
        raise DistillgameError(
            f"model '{source}': merging its adapters changes the logits by {float(change):.2g} standard deviations; "
            "merge them yourself, and name the folder of the merged model"
        )
    return merged.requires_grad_(True)


def _fit(base: Any, config: Any, weights: dict[str, torch.Tensor], tokens: int) -> None:
    """Give the base its own output embeddings and more tokens, as far as the adapters need them."""
    names = {name: part for name, part in base.named_modules() if part in _embeddings(base)}
    touched = [key for key in weights if any(f".{name}." in key for name in names) and ".token_adapter." not in key]
    whole = [weights[key].shape[0] for key in touched if key.endswith(".weight") and "lora_" not in key]
    current = base.get_input_embeddings().weight.shape[0]
    indices = getattr(config, "trainable_token_indices", None) or []
    listed = set(indices if isinstance(indices, list) else chain.from_iterable(indices.values()))
    rows = max([current, *whole])
    if rows == current and listed.issuperset(range(current, tokens)):
        rows = max(rows, tokens)
    if rows > current:
        with torch.random.fork_rng(devices=[]):
            base.resize_token_embeddings(rows, mean_resizing=False)
    tied = base.get_output_embeddings().weight is base.get_input_embeddings().weight
    if tied and touched and not getattr(config, "ensure_weight_tying", False):
        # PEFT would add the change of one of them to both: https://github.com/huggingface/peft/issues/2018
        output = base.get_output_embeddings()
        output.weight = torch.nn.Parameter(output.weight.detach().clone())
        base.config.get_text_config().tie_word_embeddings = base.config.tie_word_embeddings = False


def _embeddings(base: Any) -> tuple[Any, Any]:
    return base.get_input_embeddings(), base.get_output_embeddings()


def _require_all(adapted: Any, found: set[str], source: str) -> None:
    """Check that the adapters' file has every weight that they need, and no other."""
    from peft import get_peft_model_state_dict

    needed = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if missing := sorted(needed - found):
        raise DistillgameError(
            f"model '{source}': its adapters lack '{missing[0]}' (and {len(missing) - 1} more): the file is "
            "incomplete, or belongs to another base model"
        )
    if unused := sorted(found - needed - set(adapted.state_dict())):
        raise DistillgameError(
            f"model '{source}': its adapters hold '{unused[0]}' (and {len(unused) - 1} more), which the base model has "
            "no place for"
        )
