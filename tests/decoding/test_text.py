from hypothesis import given
from hypothesis import strategies as st

from distillgame.decoding.batching.text import TextStream

PIECES = ["a", "b", " c", "ab", "\n\n", "#", "## ", ""]


def decode(ids: list[int]) -> str:
    """A tokenizer that drops a leading space, as many do."""
    return "".join(PIECES[i] for i in ids).removeprefix(" ")


def bytes_decode(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


@given(st.lists(st.integers(0, len(PIECES) - 1), max_size=20), st.lists(st.sampled_from(["ab", "##", "b c", "\n\n#"])))
def test_increments_join_to_the_text_before_the_first_stop_string(ids: list[int], stop: list[str]) -> None:
    stream = TextStream(decode, stop)
    shown = ""
    for token in ids:
        stream.push(token)
        shown += stream.take()
        if stream.stopped:
            break
    shown += stream.take(final=True)
    whole = decode(ids)
    expected = min((whole.split(s, 1)[0] for s in stop), key=len, default=whole)
    assert shown == expected == stream.whole()
    assert stream.stopped == any(s in whole for s in stop)


@given(st.text(max_size=12))
def test_no_part_of_a_character_is_shown(text: str) -> None:
    stream = TextStream(bytes_decode)
    shown = ""
    for byte in text.encode():
        stream.push(byte)
        increment = stream.take()
        assert "\ufffd" not in increment or "\ufffd" in text
        shown += increment
    assert shown + stream.take(final=True) == text


def test_text_that_may_become_a_stop_string_is_held_back() -> None:
    stream = TextStream(decode, ["## "])
    for token, shown in ((0, "a"), (5, ""), (1, "#b")):
        stream.push(token)
        assert stream.take() == shown
