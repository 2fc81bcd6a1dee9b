"""`swapae pairs make`: lists by which two people compare the same pairs."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import assert_one_line

from swapae.errors import UserError
from swapae.evaluation.pairs import Pairs, listed_photographs


def test_the_same_pairs_everywhere_and_all_different():
    photographs = {f"{name}.png": str(i) for i, name in enumerate("abcde")}
    pairs = Pairs.draw(photographs, 9, seed=3)
    assert pairs.pairs == Pairs.draw(dict(reversed(photographs.items())), 9, seed=3).pairs
    assert len({*pairs.pairs}) == 9 and all(first != second for first, second in pairs.pairs)
    assert pairs.pairs != Pairs.draw(photographs, 9, seed=4).pairs
    assert len(Pairs.draw(photographs, 1000, seed=0).pairs) == 20
    # The generator is Python's, whose draws are promised to stay as they are.
    assert Pairs.draw(photographs, 2, seed=0).pairs == [("d.png", "e.png"), ("a.png", "c.png")]
    with pytest.raises(UserError, match="at least 2 photographs, there is 1"):
        Pairs.draw({"a.png": "0"}, 9, seed=0)


def test_a_list_is_made_and_fits_its_folder_alone(run, photographs):
    status, out, error = run("pairs", "make", "many", "-o", "pairs.json", "--count", "30", "--seed", "5", model=False)
    assert status == 0, error
    pairs = Pairs.load("pairs.json")
    assert len(pairs.pairs) == 30 and len(pairs.photographs) == 24 and pairs.seed == 5
    assert f"30 pairs of 24 photographs, digest {pairs.digest[:16]}" in out
    pairs.check_files("many", "'pairs.json'")

    shutil.copytree("many", "other")
    Path("other/rose_1.png").write_bytes(Path("other/rose_3.png").read_bytes())
    with pytest.raises(UserError, match="'pairs.json' does not fit 'other': 'rose_1.png' is another file"):
        pairs.check_files("other", "'pairs.json'")
    Path("other/rose_1.png").unlink()
    with pytest.raises(UserError, match="there is no 'rose_1.png'"):
        pairs.check_files("other", "'pairs.json'")


def test_a_text_file_chooses_photographs(run, photographs):
    Path("names.txt").write_text("rose_1.png\n\ntulip_2.png\nrose_3.png\n")
    assert [*listed_photographs("many", "names.txt")] == ["rose_1.png", "tulip_2.png", "rose_3.png"]
    Path("notepad.txt").write_text("rose_1.png\r\ntulip_2.png", encoding="utf-8-sig", newline="")
    assert [*listed_photographs("many", "notepad.txt")] == ["rose_1.png", "tulip_2.png"]
    assert run("pairs", "make", "many", "-o", "pairs.json", "--list", "names.txt", model=False)[0] == 0
    assert len(Pairs.load("pairs.json").pairs) == 6
    Path("names.txt").write_text("../a.png\n")
    assert_one_line(
        run("pairs", "make", "many", "-o", "p.json", "--list", "names.txt", model=False),
        "names '../a.png', which is not",
    )
    assert_one_line(run("pairs", "make", "many", "-o", "p.json", "--list", "none.txt", model=False), "cannot be read")
    assert_one_line(run("pairs", "make", "many", "-o", "p.txt", model=False), "must end in .json")
    assert not Path("p.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values["pairs"].reverse(), "was changed after it was made"),
        (lambda values: values["photographs"].update({"rose_1.png": "0" * 64}), "was changed after it was made"),
        (lambda values: values["pairs"].append(["rose_1.png", "none.png"]), "is no list of pairs"),
        (lambda values: values.update(pairs=[]), "is no list of pairs"),
        (lambda values: values.update(version=2), "is no list of pairs of version 1"),
        (lambda values: values["pairs"].append(3), "is no list of pairs"),
    ],
)
def test_a_changed_list_is_refused(run, photographs, change, message):
    run("pairs", "make", "many", "-o", "pairs.json", model=False)
    values = json.loads(Path("pairs.json").read_text())
    change(values)
    Path("pairs.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=message):
        Pairs.load("pairs.json")


def test_what_is_no_list_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read .*give a file of `swapae pairs make`"):
        Pairs.load(tmp_path / "none.json")
    for text in ("no JSON", "[" * 100_000, "[]"):
        (tmp_path / "pairs.json").write_text(text)
        with pytest.raises(UserError, match="is no "):
            Pairs.load(tmp_path / "pairs.json")
