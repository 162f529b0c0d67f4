"""The keyed race: a draw from any distribution that only a key explains.

Each token runs for an exponential time with its probability as the rate, and the first one wins; the times come from
the key. Over keys the winner follows the distribution exactly. Races over two distributions with the same times mostly
have the same winner: of drafts that differ from the target by a total variation of d, at most 2d/(1+d) are lost
(Daliri, Musco and Suresh, "Coupling without Communication and Drafter-Invariant Speculative Decoding").
"""

import torch


def race(probabilities: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Return the winner of each row, shape (N,).

    Args:
        probabilities: Probabilities up to a factor per row, float32, shape (N, V); tokens of probability 0 never win.
        numbers: Uniform numbers in (0, 1), float64, shape (N, V).
    """
    return (-numbers.log() / probabilities.double()).argmin(-1)
