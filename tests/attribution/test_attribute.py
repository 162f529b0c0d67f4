from pathlib import Path

import pytest
from scipy.stats import norm

from distillgame.attribution import Attributor, MarkChoice, OwnerKey, read_keys
from distillgame.errors import DistillgameError
from distillgame.policies.seeds import owner_key
from tests.attribution.common import as_positions, made_up

MARK = MarkChoice(name="keyed", options={"width": 2})


def keys(*owners: str, epoch: int = 0) -> list[OwnerKey]:
    return [OwnerKey(owner=o, epoch=epoch, key=owner_key(b"distillgame", o, epoch).hex(), mark=MARK) for o in owners]


def test_the_right_owner_of_a_thousand_is_named() -> None:
    attributor = Attributor({(None, 2): as_positions(made_up(1500, effect=0.5))}, 99)
    found = attributor.attribute(keys("owner", *(f"customer {i}" for i in range(999))))
    assert found.owners == ["owner"]
    assert "was trained on text that was marked for 'owner'" in found.verdict
    assert min(row.corrected for row in found.keys if row.owner != "owner") > 1e-3
    assert found.bits_needed == pytest.approx(19.93, abs=0.01)


def test_nobody_is_named_without_an_effect_and_the_sample_size_is_said() -> None:
    strong, weak = made_up(1500, effect=0.5), made_up(300, effect=0.2)
    none = Attributor({(None, 2): as_positions(made_up(300))}, 99).attribute(keys("owner", "other"))
    assert none.owners == []
    assert none.verdict.startswith("Nobody is named")
    few = Attributor({(None, 2): as_positions(weak, texts=200)}, 99).attribute(keys("owner", "other", "third"))
    row = few.keys[0]
    assert not row.significant
    assert row.texts_needed is not None
    assert row.texts_needed == pytest.approx(200 * (norm.isf(1e-3 / 3) / row.z) ** 2, abs=1)
    assert f"about {row.texts_needed:,} texts instead of 200" in few.verdict
    assert Attributor({(None, 2): as_positions(strong)}, 99).attribute(keys("owner")).keys[0].texts_needed is None


def test_marks_of_several_owners_are_inconclusive() -> None:
    """Averaging and framing look alike: nobody is accused alone."""
    positions = as_positions(made_up(1500, effect=0.5))
    both = [*keys("owner"), keys("owner")[0].model_copy(update={"owner": "victim"})]
    found = Attributor({(None, 2): positions}, 99).attribute(both)
    assert found.verdict.startswith("Inconclusive: the keys of 'owner' and 'victim'")
    epochs = Attributor({(None, 2): positions}, 99).attribute([*keys("owner"), *keys("owner", epoch=1)])
    assert epochs.owners == ["owner"]


def test_an_owners_own_texts_are_preferred() -> None:
    attributor = Attributor(
        {(None, 2): as_positions(made_up(100)), ("owner", 2): as_positions(made_up(900, effect=0.6), texts=900)}, 99
    )
    found = attributor.attribute(keys("owner", "other"))
    assert [(row.own_texts, row.texts) for row in found.keys] == [(True, 900), (False, 100)]
    assert found.owners == ["owner"]


FILE = "secret: s3cret\nowners: [alice, bob]\nepochs: [0, 1]\nmark: {keyed: {width: 3}}\n"


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(FILE)
    found = read_keys(path)
    assert [(key.owner, key.epoch) for key in found] == [("alice", 0), ("alice", 1), ("bob", 0), ("bob", 1)]
    assert found[3].secret == owner_key(b"s3cret", "bob", 1)
    assert found[0].mark.policy.width == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "it names no key"),
        ("secret: x", "their keys follow from 'secret' and 'mark'"),
        (FILE.replace("keyed", "poe").replace("width: 3", "gamma: 0.5"), "owner 'alice': mark: policy 'poe' leaves no"),
        (FILE.replace("width", "widht"), "unknown option 'widht'"),
        (FILE.replace("width: 3", "secret: TOP"), "keyed: 'secret' is no part of the mark that is tested"),
        (FILE.replace("width: 3", '"on": poe'), "keyed: 'on' is no part of the mark"),
        (FILE.replace("bob", "alice"), "the key of 'alice' for epoch 0 is there twice"),
        (FILE.replace("[0, 1]", "[]"), "epochs"),
        ("keys: [{owner: a, key: zz, mark: keyed}]", "keys.0.key"),
        ("[1, 2]", "a mapping"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(DistillgameError, match=said) as caught:
        read_keys(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
