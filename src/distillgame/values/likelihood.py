"""Batches of training examples and the mean log-likelihood of each."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from distillgame.models import Example

IGNORED = -100
"""Label of positions that are not trained on (prompt and padding), as in Hugging Face models."""

Batch = Mapping[str, torch.Tensor]
"""``input_ids``, ``attention_mask`` and ``labels``, each of shape (B, T)."""


def collate(examples: Sequence[Example], pad_id: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
    """Pad examples on the right into a batch whose labels cover the targets only.

    Returns:
        ``input_ids``, ``attention_mask`` and ``labels``, int64, each of shape (B, T).
    """
    width = max(len(example.prompt) + len(example.target) for example in examples)
    ids = torch.full((len(examples), width), pad_id)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    labels = torch.full((len(examples), width), IGNORED)
    for i, example in enumerate(examples):
        start, end = len(example.prompt), len(example.prompt) + len(example.target)
        ids[i, :end] = torch.tensor([*example.prompt, *example.target])
        mask[i, :end] = 1
        labels[i, start:end] = torch.tensor(example.target)
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": labels.to(device)}


def token_logprobs(model: Any, batch: Batch, parameters: Mapping[str, torch.Tensor] | None = None) -> torch.Tensor:
    """Return log pi(token | before) in nats, shape (B, T-1), entry t for token t + 1; 0 where ignored.

    If the batch has soft targets (``soft_tokens`` and ``soft_probabilities``, (B, T, K)), return their expectation.

    Args:
        model: A causal language model.
        batch: From :func:`collate`.
        parameters: Parameters that replace the model's own, by name.
    """
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "use_cache": False}
    output = model(**inputs) if parameters is None else functional_call(model, dict(parameters), kwargs=inputs)
    labels = batch["labels"][:, 1:]
    # Half precision would lose the small differences of which values consist.
    logits = output.logits[:, :-1].float()
    if "soft_tokens" not in batch:
        return -cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    chosen = torch.log_softmax(logits, -1).gather(-1, batch["soft_tokens"][:, 1:])
    expected = (chosen * batch["soft_probabilities"][:, 1:]).sum(-1)
    return torch.where(labels == IGNORED, 0.0, expected)


def mean_logprob(model: Any, batch: Batch, parameters: Mapping[str, torch.Tensor] | None = None) -> torch.Tensor:
    """Return the mean over target tokens of :func:`token_logprobs`, shape (B,)."""
    counts = (batch["labels"][:, 1:] != IGNORED).sum(-1)
    return token_logprobs(model, batch, parameters).sum(-1) / counts
