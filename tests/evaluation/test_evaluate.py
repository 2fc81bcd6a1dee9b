"""`swapae evaluate` on the tiny model, with LPIPS's real SqueezeNet."""

import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import assert_one_line
from launching import run_processes
from PIL import Image

from swapae import Codes, SwapAE
from swapae.backbones import PACKAGED
from swapae.evaluation.evaluate import work
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.measuring import Measuring
from swapae.evaluation.metrics import frechet_distance, psnr, sifid, structure_distance, texture_distance
from swapae.evaluation.networks import Networks
from swapae.evaluation.processes import Processes
from swapae.pictures.images import fit, load_image

WEIGHTS = PACKAGED


@pytest.fixture(autouse=True)
def squeeze(monkeypatch, tmp_path):
    """SqueezeNet's real weights and no others."""
    monkeypatch.setenv("SWAPAE_LPIPS_WEIGHTS", str(WEIGHTS))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("SWAPAE_FID_WEIGHTS", raising=False)


@pytest.fixture
def evaluate(run, photographs):
    """Evaluate the folder `many`; results.json of OUTPUT."""

    def command(output, *arguments):
        status, out, error = run("evaluate", "--data", "many", "--output", output, "--count", "30", *arguments)
        assert status == 0, error
        assert (Path(output) / "results.md").read_text() == out
        return json.loads((Path(output) / "results.json").read_text())

    return command


def values(results):
    """Figures but for the runtimes."""
    return {name: figure["value"] for name, figure in results["figures"].items() if not name.endswith("_ms")}


def test_figures_are_those_of_their_definitions(evaluate):
    results = evaluate("out")
    assert len(results["reconstructions"]) == 24 and len(results["hybrids"]) == 30
    model, distance = SwapAE.from_pretrained("model"), LPIPS("squeeze")

    def photograph(name):
        return fit(load_image(Path("many", name)), 64, 8, 56).tensor

    with torch.inference_mode():
        one = results["reconstructions"][5]
        image = photograph(one["photograph"])
        picture = model(image).clamp(-1, 1)
        assert one["lpips_squeeze"] == pytest.approx(distance(image, picture).item(), rel=1e-5)
        assert one["psnr"] == pytest.approx(psnr(image, picture).item(), rel=1e-5)

        pair = results["hybrids"][7]
        structure, texture = (photograph(pair[kind]) for kind in ("structure", "texture"))
        hybrid = model.swap(structure, texture).clamp(-1, 1)
        own, other, made = (distance.features(image) for image in (structure, texture, hybrid))
        assert pair["structure_to_structure_image"] == pytest.approx(
            structure_distance(made[2], own[2]).item(), rel=1e-4
        )
        assert pair["texture_to_texture_image"] == pytest.approx(texture_distance(made, other).item(), rel=1e-4)
        assert pair["sifid_to_texture_image"] == pytest.approx(sifid(made[0][0], other[0][0]), rel=1e-3)

        def whole(images):
            return torch.cat([distance.features(image)[-1].mean((2, 3)) for image in images])

        names = dict.fromkeys(pair["structure"] for pair in results["hybrids"])
        hybrids = []
        for pair in results["hybrids"]:
            codes = [model.encode(photograph(pair[kind])) for kind in ("structure", "texture")]
            hybrids.append(model.decode(Codes(codes[0].structure, codes[1].texture)).clamp(-1, 1))
        expected = frechet_distance(whole(hybrids), whole([photograph(name) for name in names]))
        assert results["figures"]["frechet_hybrids"]["value"] == pytest.approx(expected, rel=1e-3)

    figures = results["figures"]
    mean = sum(one["lpips_squeeze"] for one in results["reconstructions"]) / 24
    assert figures["lpips_squeeze"]["value"] == pytest.approx(mean)
    nearer = [pair["colour_to_texture_image"] < pair["colour_to_structure_image"] for pair in results["hybrids"]]
    assert figures["nearer_colour"]["value"] == pytest.approx(100 * sum(nearer) / 30)
    assert all(figures[name]["value"] > 0 for name in ("encode_ms", "decode_ms", "swap_ms"))
    names = [figure["name"] for figure in figures.values()]
    assert "Frechet distance (SqueezeNet) of hybrids to their structure images" in names
    assert not any("FID" in name or "KID" in name for name in names)
    assert "24 photographs are fewer than the 512 features" in results["notes"][0]


@pytest.mark.slow
def test_a_repeated_evaluation_measures_only_what_is_missing(evaluate, monkeypatch):
    first = evaluate("out")
    files = sorted(Path("out/cache").rglob("*.safetensors"))
    assert len(files) == 24 + 24 + 30
    measured = []
    measure = Measuring.measure
    monkeypatch.setattr(Measuring, "measure", lambda self, item: measured.append(item.kind) or measure(self, item))
    assert values(evaluate("out")) == values(first) and measured == []

    files[0].unlink()
    files[-1].write_bytes(files[-1].read_bytes()[:50])  # cut short, as by another program
    assert values(evaluate("out")) == values(first) and len(measured) == 2

    measured.clear()
    evaluate("out", "--seed", "1")  # other noise, other pictures
    assert len(measured) == 24 + 24 + 30
    measured.clear()
    Image.new("RGB", (64, 64), "red").save("many/rose_1.png")
    assert values(evaluate("out")) != values(first)
    assert measured.count("photograph") == measured.count("reconstruction") == 1 and 0 < measured.count("hybrid") < 30


@pytest.mark.slow
def test_an_interrupted_evaluation_goes_on(run, evaluate, monkeypatch):
    measure, left = Measuring.measure, [40]

    def interrupted(self, item):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return measure(self, item)

    monkeypatch.setattr(Measuring, "measure", interrupted)
    result = run("evaluate", "--data", "many", "--output", "out", "--count", "30")
    assert_one_line(result, "interrupted; the same command goes on from there", 130)
    assert len([*Path("out/cache").rglob("*.safetensors")]) == 40 and not Path("out/results.json").exists()
    left[0] = 1000
    results = evaluate("out")
    assert left[0] == 1000 - (24 + 24 + 30 - 40)
    monkeypatch.undo()
    os.environ["SWAPAE_LPIPS_WEIGHTS"] = str(WEIGHTS)
    assert len(results["hybrids"]) == 30


@pytest.mark.slow
def test_a_list_of_pairs_decides_what_is_compared(run, evaluate, photographs):
    run("pairs", "make", "many", "-o", "pairs.json", "--count", "30", model=False)
    same = evaluate("same")
    Image.new("RGB", (64, 64), "red").save("many/new.png")  # of no concern to the list
    assert values(evaluate("listed", "--pairs", "pairs.json")) == values(same)
    assert json.loads(Path("listed/pairs.json").read_text()) == json.loads(Path("pairs.json").read_text())
    Path("many/rose_3.png").write_bytes(Path("many/rose_1.png").read_bytes())
    usual = ("evaluate", "--data", "many", "--output", "out", "--pairs", "pairs.json")
    assert_one_line(run(*usual), "'pairs.json' does not fit 'many': 'rose_3.png' is another file")
    Path("names.txt").write_text("rose_1.png")
    assert_one_line(run(*usual, "--list", "names.txt"), "--list and --pairs exclude each other")
    assert not Path("out").exists()


@pytest.mark.slow
def test_the_reference_leaves_out_what_is_evaluated(evaluate):
    Path("names.txt").write_text("\n".join(sorted(os.listdir("many"))[:12]))
    results = evaluate("out", "--list", "names.txt", "--reference", "many")
    assert results["about"]["reference"] == "12 photographs"
    figures = values(results)
    assert figures["reference_frechet_hybrids"] > 0 and "reference_kernel_photographs" in figures


def test_photographs_of_any_shape_are_brought_to_one(evaluate):
    generator = np.random.default_rng(3)
    for index in range(3):
        pixels = generator.integers(0, 256, (50 + 30 * index, 90, 3), np.uint8)
        Image.fromarray(pixels).save(f"many/odd_{index}.png")
    notes = evaluate("out")["notes"]
    assert notes[0].startswith("3 of 27 photographs are not square")


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href", "onload", "onerror")]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.slow
def test_the_page_stands_alone_and_names_are_only_text(evaluate):
    name = "<img src=x onerror=alert(1)>.png"
    shutil.move("many/rose_1.png", f"many/{name}")
    Path("many/rose_3.png").rename("many/r|`o.png")
    results = evaluate("out", "--count", "500")
    text = Path("out/results.html").read_text()
    page = Page()
    page.feed(text)
    assert len(page.sources) == 12 * 3 + 2 * 6 * 2 and all(
        s.startswith("data:image/jpeg;base64,") for s in page.sources
    )
    assert "script" not in page.tags and "default-src 'none'" in text
    shown = " ".join(page.text)
    assert any(name in (pair["structure"], pair["texture"]) for pair in results["hybrids"])
    assert not re.search(r"<img src=x", text)
    assert results["figures"]["lpips_squeeze"]["name"] in shown
    by_lpips = sorted(results["reconstructions"], key=lambda one: one["lpips_squeeze"])
    best, worst = shown.index("Best reconstructions"), shown.index("Worst reconstructions")
    assert best < shown.index(by_lpips[0]["photograph"], best) < worst < shown.index(by_lpips[-1]["photograph"], worst)


def test_bad_input_is_one_line(run, photographs, monkeypatch):
    usual = ("evaluate", "--data", "many", "--output", "out")
    (Path("few")).mkdir()
    for name in sorted(os.listdir("many"))[:9]:
        shutil.copy(f"many/{name}", "few")
    Path("empty").mkdir()
    Path("file").write_text("")
    too_few = "'few': 9 photographs are too few for distances of sets, which take at least 10"
    cases = [
        (("evaluate", "--data", "few", "--output", "out"), too_few),
        ((*usual, "--reference", "few"), "'few' without the photographs that are evaluated: 0 photographs are too few"),
        (("evaluate", "--data", "empty", "--output", "out"), "there are no pictures in 'empty'"),
        (("evaluate", "--data", "none", "--output", "out"), "'none' is not a folder"),
        (("evaluate", "--data", "many", "--output", "file"), "cannot make the folder 'file'"),
        ((*usual, "--size", "full"), "--size must be a multiple of 8"),
        ((*usual, "--size", "60"), "--size must be a multiple of 8"),
        ((*usual, "--pairs", "none.json"), "'none.json' cannot be read"),
        ((*usual, "--count", "0"), "--count must be 1 to"),
    ]  # fmt: skip
    for arguments, message in cases:
        assert_one_line(run(*arguments), message)
    assert_one_line(run(*usual, "--model", "nowhere/at all", model=False), "'nowhere/at all'")
    Path("many/rose_1.png").write_bytes(b"no picture")
    assert_one_line(run(*usual), "rose_1.png")
    monkeypatch.setenv("SWAPAE_FID_WEIGHTS", "nowhere")
    assert_one_line(run(*usual), "SWAPAE_FID_WEIGHTS: 'nowhere' is neither a file nor a folder with weights-inception")
    monkeypatch.delenv("SWAPAE_FID_WEIGHTS")


def test_processes_share_the_items():
    done = []

    class Recorder:
        def read(self, item):
            return None

        def write(self, item, measured):
            done.append(item)

        def measure(self, item):
            return item

    for rank in range(3):
        work(Recorder(), Recorder(), range(10), "", Processes(rank, 3))
    assert sorted(done) == [*range(10)]


@pytest.mark.slow
def test_two_processes_measure_what_one_does(run, photographs, tmp_path):
    usual = ("-m", "swapae", "evaluate", "--data", "many", "--model", "model", "--count", "30", "--device", "cpu")
    for processes in (1, 2):
        done = run_processes(tmp_path, *usual, "--output", processes, processes=processes)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("reconstruction LPIPS") == 1
    one, two = (json.loads(Path(f"{n}/results.json").read_text()) for n in (1, 2))
    assert values(one) == values(two) and one["hybrids"] == two["hybrids"]
    assert len([*Path("2/cache").rglob("*.safetensors")]) == 24 + 24 + 30
    assert "2 processes" in two["about"]["machine"]


def test_networks_say_what_they_are():
    networks = Networks.load()
    assert networks.main == "squeeze" and networks.sets.single == "single-image Frechet distance (SqueezeNet)"
