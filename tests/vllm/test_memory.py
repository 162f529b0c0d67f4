"""vLLM's pool of blocks, which all networks share."""

import pytest

from distillgame.vllm.memory import Pool


@pytest.mark.parametrize(
    ("room", "tokens", "sequences"), [(16_000, 0, 0), (32_000, 16, 0), (47_999, 16, 0), (48_000, 32, 1)]
)
def test_blocks_are_whole_and_one_is_kept(room: float, tokens: int, sequences: int) -> None:
    pool = Pool(room, token=1_000)
    assert (pool.tokens, pool.sequences(17)) == (tokens, sequences)
