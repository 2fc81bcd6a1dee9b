"""A human study without a browser: what is shown, what is kept, what is reported, and bad input."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_line, files
from PIL import Image

from swapae import UserError
from swapae.evaluation.study.answers import Answer, Answers
from swapae.evaluation.study.definition import Definition
from swapae.evaluation.study.pictures import Pictures
from swapae.evaluation.study.rates import Rate, student, wilson
from swapae.evaluation.study.report import Report
from swapae.evaluation.study.trials import PHOTOGRAPH, SAME, SHUFFLED, UNRELATED, Plan, Trial

VIEWERS = [f"{number:032x}" for number in range(200)]
PLAN = Plan(("a", "b", "c"), items=60, questions=True, trials=31, seed=3)

# What is shown


@pytest.mark.parametrize("questions", [False, True])
def test_viewers_see_everything_once_and_all_methods_equally_often(questions):
    plan = Plan(("a", "b", "c"), items=60, questions=questions, trials=31, seed=3)
    for viewer in VIEWERS:
        trials = plan.order(viewer)
        assert trials == plan.order(viewer)
        assert len({trial.item for trial in trials}) == len(trials)
        assert trials[0] == Trial("real", "practice", trials[0].item, trials[0].shown)
        assert [kind for kind, _ in itertools.groupby(trial.kind for trial in trials)] == list(plan.kinds)
        assert sum(trial.role == "counted" for trial in trials) == 31
        for kind in plan.kinds:
            counted = [frozenset(trial.shown) for trial in trials if (trial.kind, trial.role) == (kind, "counted")]
            seen = Counter(counted)
            assert len(seen) == 3 and max(seen.values()) - min(seen.values()) <= 1
            checks = [set(trial.shown) for trial in trials if (trial.kind, trial.role) == (kind, "check")]
            assert len(checks) >= max(len(counted) / 10, 1 if questions else 2)
            assert all(check == ({PHOTOGRAPH, SHUFFLED} if kind == "real" else {SAME, UNRELATED}) for check in checks)
    orders = {tuple(plan.order(viewer)) for viewer in VIEWERS}
    assert len(orders) == len(VIEWERS)
    assert Plan(plan.methods, 60, questions, 31, 4).order(VIEWERS[0]) != plan.order(VIEWERS[0])


def test_no_place_or_side_tells_the_fake():
    trials = [trial for viewer in VIEWERS for trial in Plan(("a",), 60, False, 50, 0).order(viewer)]
    first = sum(trial.shown[0] == PHOTOGRAPH for trial in trials) / len(trials)
    assert abs(first - 0.5) < 3 * 0.5 / len(trials) ** 0.5
    places = Counter(
        place
        for viewer in VIEWERS
        for place, t in enumerate(PLAN.order(viewer))
        if (t.kind, t.role) == ("real", "check")
    )
    assert set(places) == set(range(1, 1 + sum(PLAN.counts()["real"])))


def test_few_pictures_shorten_a_study_and_too_few_are_refused():
    assert Plan(("a",), 56, False, 50, 0).counts() == {"real": (50, 5)}
    assert Plan(("a",), 55, False, 50, 0).counts() == {"real": (49, 5)}
    assert Plan(("a",), 4, False, 50, 0).counts() == {"real": (1, 2)}
    assert Plan(("a", "b"), 7, True, 50, 0).counts() == {"real": (1, 1), "style": (1, 1), "content": (1, 1)}
    for plan, least in ((Plan(("a",), 3, False, 50, 0), 4), (Plan(("a", "b"), 6, True, 50, 0), 7)):
        with pytest.raises(UserError, match=f"at least {least} pictures"):
            plan.counts()
    with pytest.raises(UserError, match="3 or more"):
        Plan(("a", "b"), 60, True, 2, 0).counts()


def test_right_answers():
    assert [Trial("real", "counted", 0, (PHOTOGRAPH, "a")).right(chosen) for chosen in (1, 2)] == [False, True]
    assert [Trial("style", "check", 0, (UNRELATED, SAME)).right(chosen) for chosen in (1, 2)] == [False, True]
    assert Trial("content", "counted", 0, ("a", "b")).right(1) is None


# Pictures


def paint(folder: Path, count: int, level: int, size=(40, 30), suffix="png") -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", size, (level, number, 7)).save(folder / f"secret{number:02d}.{suffix}")
    return folder


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """real, ours, theirs, structure and texture, of eight pictures each."""
    monkeypatch.chdir(tmp_path)
    levels = {"real": 10, "ours": 60, "theirs": 110, "structure": 160, "texture": 210}
    return {name: paint(tmp_path / name, 8, level) for name, level in levels.items()}


def shown(text: str) -> Image.Image:
    data = base64.b64decode(text)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size, image.mode, image.info) == ("PNG", (32, 32), "RGB", {})
    return image


def test_pictures_of_a_trial_are_alike_but_for_what_they_show(folders, tmp_path):
    paint(tmp_path / "photos", 8, 10, size=(300, 500), suffix="jpg")
    of = {PHOTOGRAPH: tmp_path / "photos", **{name: folders[name] for name in ("ours", "structure", "texture")}}
    pictures = Pictures.find(of, 32)
    first, second = pictures.of(Trial("real", "counted", 3, (PHOTOGRAPH, "ours")))
    assert abs(shown(first).getpixel((5, 5))[0] - 10) < 4 and shown(second).getpixel((5, 5)) == (60, 3, 7)
    for kind, reference in (("style", 210), ("content", 160)):
        got = [shown(text).getpixel((9, 9)) for text in pictures.of(Trial(kind, "check", 4, (SAME, UNRELATED)))]
        assert got == [(reference, 4, 7), (370 - reference, 4, 7), (reference, 4, 7)]
    photograph, fake = (
        np.asarray(shown(text)).astype(int) for text in pictures.of(Trial("real", "check", 2, (PHOTOGRAPH, SHUFFLED)))
    )
    assert np.abs(photograph - fake).mean() > 40 and fake.std() > 40
    again = [pictures.of(Trial("real", "practice", 2, (SHUFFLED, PHOTOGRAPH)))[0] for _ in range(2)]
    assert again[0] == again[1] == pictures.of(Trial("real", "check", 2, (PHOTOGRAPH, SHUFFLED)))[1]


# Answers


def definition(plan: Plan, seconds: float = 1.0) -> Definition:
    pictures = {PHOTOGRAPH: [[f"{item}.jpg", f"{item:064x}"] for item in range(plan.items)]}
    return Definition(plan, seconds, 256, pictures | {name: pictures[PHOTOGRAPH] for name in plan.methods})


def test_an_answer_counts_once_and_in_turn(tmp_path):
    answers = Answers.open_or_make(tmp_path / "s.sqlite", definition(PLAN))
    trials = PLAN.order(VIEWERS[0])
    assert not answers.add(VIEWERS[0], 1, trials[1], Answer(1, (1000, 1000), 1))
    assert answers.add(VIEWERS[0], 0, trials[0], Answer(1, (1000, 1001.5), 1))
    assert not answers.add(VIEWERS[0], 0, trials[0], Answer(2, (1000, 1000), 1))
    assert answers.add(VIEWERS[0], 1, trials[1], Answer(2, None, 2)) and answers.add(
        VIEWERS[1], 0, PLAN.order(VIEWERS[1])[0], Answer(2, (1, 2), 1)
    )
    again = Answers.open_or_make(tmp_path / "s.sqlite", definition(PLAN))
    assert [again.count(viewer) for viewer in VIEWERS[:3]] == [2, 1, 0]
    rows = again.rows()
    assert [(row.viewer, row.number, row.answer.chosen) for row in rows] == [
        (VIEWERS[0], 0, 1),
        (VIEWERS[0], 1, 2),
        (VIEWERS[1], 0, 2),
    ]
    assert [row.trial for row in rows[:2]] == trials[:2]
    assert (rows[0].answer.exposures, rows[1].answer) == ((1000, 1001.5), Answer(2, None, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["s.sqlite"]


def test_nothing_about_people_is_kept(tmp_path):
    Answers.open_or_make(tmp_path / "s.sqlite", definition(PLAN))
    with sqlite3.connect(tmp_path / "s.sqlite") as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(answers)")]
    assert " ".join(columns) == "viewer number kind role item first second chosen first_ms second_ms showings"


@pytest.mark.parametrize(
    "other, part",
    [
        (definition(Plan(("a", "b"), 60, True, 31, 3)), "methods: a, b, c, now a, b"),
        (definition(Plan(("a", "b", "c"), 60, True, 30, 3)), "--trials: 31, now 30"),
        (definition(Plan(("a", "b", "c"), 60, True, 31, 4)), "--seed: 3, now 4"),
        (definition(Plan(("a", "b", "c"), 60, False, 31, 3)), "questions of style and content"),
        (definition(Plan(("a", "b", "c"), 61, True, 31, 3)), "--real: 60 pictures, now 61"),
        (definition(PLAN, 0.5), "--seconds: 1.0, now 0.5"),
    ],
)
def test_another_study_is_refused_with_what_differs(tmp_path, other, part):
    path = tmp_path / "s.sqlite"
    Answers.open_or_make(path, definition(PLAN))
    before = path.read_bytes()
    with pytest.raises(UserError, match="is another study's") as caught:
        Answers.open_or_make(path, other)
    assert part in str(caught.value) and path.read_bytes() == before


def write_for_ever(path: Path, viewer: str, acknowledged: Path) -> None:
    answers, trials = Answers.open(path), Plan(("a",), 4000, False, 3000, 0).order(viewer)
    with acknowledged.open("w") as file:
        for number, trial in enumerate(trials):
            assert answers.add(viewer, number, trial, Answer(1 + number % 2, (1000, 1000), 1))
            file.write(f"{number}\n")
            file.flush()


def test_writers_killed_in_the_middle_lose_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "s.sqlite"
    Answers.open_or_make(path, definition(Plan(("a",), 4000, False, 3000, 0)))
    logs = {viewer: tmp_path / viewer for viewer in VIEWERS[:4]}
    fork = multiprocessing.get_context("fork")
    for round in range(3):
        viewers = {viewer + str(round): log for viewer, log in logs.items()}
        writers = [fork.Process(target=write_for_ever, args=(path, *pair)) for pair in viewers.items()]
        for log, writer in zip(viewers.values(), writers, strict=True):
            log.touch()
            writer.start()
        while sum(log.read_text().count("\n") for log in viewers.values()) < 30:
            assert all(writer.is_alive() for writer in writers)
            time.sleep(0.005)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
        kept = Counter(row.viewer for row in Answers.open(path).rows())
        for viewer, log in viewers.items():
            assert 0 <= kept[viewer] - log.read_text().count("\n") <= 1  # the last one's word may not have got out
            log.unlink()
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Rates


@pytest.mark.parametrize(
    "count, trials, low, high",
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(count, trials, low, high):
    """Newcombe 1998, Statistics in Medicine 17:857, Table I, method 3."""
    assert wilson(count / trials, trials, 1.959964) == pytest.approx((low, high), abs=6e-5)


def test_student_as_in_tables():
    table = {1: 12.706, 2: 4.303, 3: 3.182, 10: 2.228, 30: 2.042, 120: 1.980}
    assert {freedom: round(student(freedom, 0.975), 3) for freedom in table} == table
    assert student(5, 0.95) == pytest.approx(2.015, abs=5e-4)


def test_answers_of_one_viewer_that_are_alike_count_for_less():
    # Share 1/2; squares (10-5)² + (0-5)² = 50, times 2/(2-1), over 20 answers, over 1/4: 20 times the variance.
    rate = Rate.of([(10, 10), (0, 10)])
    assert (rate.count, rate.trials, rate.viewers, rate.share) == (10, 20, 2, 0.5)
    assert rate.design_effect == pytest.approx(20)
    assert (rate.low, rate.high) == pytest.approx(wilson(0.5, 20 / 20 * (1.959964 / 12.7062) ** 2, 1.959964), abs=1e-5)
    assert Rate.of([(5, 10), (5, 10)]).design_effect == 1
    alone = Rate.of([(3, 10)])
    assert (alone.low, alone.high) == pytest.approx(wilson(0.3, 10, 1.959964), abs=1e-6)
    assert Rate.of([]) is None and Rate.of([(0, 0)]) is None
    nobody = Rate.of([(0, 10)] * 5)
    assert nobody.low == 0 and wilson(0, 50, 1.959964)[1] < nobody.high < 0.2


@pytest.mark.parametrize("viewers, trials, a, b", [(8, 20, 3, 7), (30, 25, 3, 7), (40, 10, 1, 4), (60, 10, 1, 9)])
def test_intervals_cover_what_they_should(viewers, trials, a, b):
    draws, inside = random.Random(0), 0
    for _ in range(1000):
        own = [draws.betavariate(a, b) for _ in range(viewers)]
        rate = Rate.of([(sum(draws.random() < chance for _ in range(trials)), trials) for chance in own])
        inside += rate.low <= a / (a + b) <= rate.high
    assert 920 <= inside <= 980


# The report


def filled(path: Path, plan: Plan, viewers, seconds: float = 1.0) -> Answers:
    """Answers of viewers, each a function of a trial and its number that returns an `Answer`, None to stop."""
    answers = Answers.open_or_make(path, definition(plan, seconds))
    for viewer, behave in viewers.items():
        for number, trial in enumerate(plan.order(viewer)):
            answer = behave(trial, number)
            if answer is None:
                break
            assert answers.add(viewer, number, trial, answer)
    return answers


def attentive(fooled_by=(), preferred="a", time_ms=1000.0, showings=1):
    """A viewer who passes checks, takes the hybrids of some methods for photographs, and prefers a method if it can."""

    def behave(trial, number):
        if trial.role != "counted":
            chosen = 1 if trial.right(1) else 2
        elif trial.kind == "real":
            (method,) = set(trial.shown) - {PHOTOGRAPH}
            chosen = 1 + trial.shown.index(PHOTOGRAPH if method in fooled_by else method)
        else:
            chosen = 1 + (trial.shown.index(preferred) if preferred in trial.shown else 0)
        return Answer(chosen, (time_ms, 1000.0) if trial.kind == "real" else None, showings)

    return behave


def test_a_report_gives_back_what_viewers_did(tmp_path):
    def careless(trial, number):
        return Answer(3 - attentive()(trial, number).chosen, (1000, 1000), 1)

    def early(trial, number):
        return attentive()(trial, number) if number < first_check else None

    viewer = VIEWERS[5]
    first_check = next(number for number, trial in enumerate(PLAN.order(viewer)) if trial.role == "check")
    people = {
        VIEWERS[0]: attentive(),
        VIEWERS[1]: attentive(["a"]),
        VIEWERS[2]: attentive(["a", "b"], preferred="b"),
        VIEWERS[3]: careless,
        viewer: early,
    }
    answers = filled(tmp_path / "s.sqlite", PLAN, people)
    report = Report.of(answers, 0.8, 250)
    assert report.viewers == {"answered": 5, "finished": 4, "counted": 3, "inattentive": 1, "unchecked": 1}
    counted = [trial for person in VIEWERS[:3] for trial in PLAN.order(person) if trial.role == "counted"]
    of = Counter(name for trial in counted if trial.kind == "real" for name in trial.shown)
    a_of_two, b_of_one = (
        sum(name in trial.shown for person in who for trial in PLAN.order(person) if trial.kind == "real")
        for name, who in (("a", VIEWERS[1:3]), ("b", VIEWERS[2:3]))
    )
    got = {name: (rate.count, rate.trials, rate.viewers) for name, rate in report.fooled.items()}
    assert got == {"a": (a_of_two, of["a"], 3), "b": (b_of_one, of["b"], 3), "c": (0, of["c"], 3)}
    for kind in ("style", "content"):
        ab = [trial for trial in counted if trial.kind == kind and set(trial.shown) == {"a", "b"}]
        mine = sum(set(t.shown) == {"a", "b"} and t.kind == kind for p in VIEWERS[:2] for t in PLAN.order(p))
        rate = report.pairs[kind]["a", "b"]
        assert (rate.count, rate.trials) == (mine, len(ab))
        assert sum(rate.count for rate in report.preferred[kind].values()) == sum(t.kind == kind for t in counted)
    table = report.markdown()
    assert f"| c | 0.0 % | 0.0 to {100 * report.fooled['c'].high:.1f} % | 0 of {of['c']} | 3 | 1.00 |" in table
    assert "a over b" in table and "1 who failed attention checks, 1 who stopped before the first" in table
    # With a rule that everybody passes, all but those without a check count.
    assert Report.of(answers, 0, 250).viewers["counted"] == 4


def test_trials_not_shown_as_they_should_be_are_left_out(tmp_path):
    plan = Plan(("a",), 60, False, 20, 0)

    def slow(trial, number):
        return attentive(time_ms=1251 if number in (1, 2) else 1249, showings=2 if number == 4 else 1)(trial, number)

    answers = filled(tmp_path / "s.sqlite", plan, {VIEWERS[0]: slow})
    report = Report.of(answers, 0, 250)
    assert [number for number, reason in enumerate(report.left_out) if reason] == [1, 2, 4]
    left = sum(plan.order(VIEWERS[0])[number].role == "counted" for number in (1, 2, 4))
    assert report.fooled["a"].trials == 20 - left
    assert "Left out: 2 answers, a picture was there over 250 ms" in report.markdown()
    assert "Left out: 1 answers, shown more than once." in report.markdown()
    assert Report.of(answers, 0, 300).left_out.count("") == len(answers.rows()) - 1


# The command line


STUDY = ["study", "--real", "real", "--hybrids", "ours"]
ASKING = [*STUDY, "--hybrids", "theirs", "--structure", "structure", "--texture", "texture"]


@pytest.fixture
def command(folders, monkeypatch, capsys):
    """Run a command beside the folders; (exit status, stdout, stderr). No page is ever served."""
    from swapae.apps.cli import main

    monkeypatch.setattr("swapae.apps.cli.study.page_server", lambda: lambda *_: print("served"))
    monkeypatch.setenv("PORT", "7861")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["swapae", *map(str, arguments)])
        status = main()
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_study_begins_and_goes_on(command):
    for arguments, words in (
        (STUDY, "5 trials (8 pictures"),
        (["study", "serve", *ASKING[1:]], "4 trials (8 pictures"),
    ):
        for _ in range(2):
            status, out, _ = command(*arguments, "--answers", f"{len(arguments)}.sqlite")
            assert status == 0 and words in out and out.endswith("served\n")
    kept = Answers.open(Path("5.sqlite")).definition
    assert kept.plan == Plan(("ours",), 8, False, 50, 0)
    assert set(kept.pictures) == {PHOTOGRAPH, "ours"} and kept.pictures["ours"][1][0] == "secret01.png"


def spoil(name):
    if name == "count":
        Path("ours/secret07.png").unlink()
    elif name == "unreadable":
        Path("ours/secret03.png").write_bytes(b"no picture")
    elif name == "same":
        Path("ours/secret03.png").write_bytes(Path("real/secret03.png").read_bytes())
    elif name == "few":
        for folder, number in itertools.product(("real", "ours"), range(3, 8)):
            Path(folder, f"secret{number:02d}.png").unlink()
    elif name == "empty":
        Path("empty").mkdir()
    elif name == "text":
        Path("study.sqlite").write_text("no database, but long enough to be looked into" * 30)
    elif name == "nothing":
        Path("study.sqlite").write_bytes(b"")
    elif name == "database":
        with sqlite3.connect("study.sqlite") as connection:
            connection.execute("CREATE TABLE study (definition TEXT)")
    elif name == "folder":
        Path("study.sqlite").mkdir()


@pytest.mark.parametrize(
    "spoiled, arguments, part",
    [
        ("count", STUDY, "--real 8, --hybrids ours 7"),
        ("empty", ["study", "--real", "empty", "--hybrids", "ours"], "no pictures in 'empty'"),
        ("", ["study", "--real", "nowhere", "--hybrids", "ours"], "'nowhere' is not a folder"),
        ("", ["study", "--real", "real", "--hybrids", "x=nowhere"], "'nowhere' is not a folder"),
        ("unreadable", STUDY, "secret03.png"),
        ("same", STUDY, "are the same picture"),
        ("few", STUDY, "at least 4 pictures"),
        ("text", STUDY, "'study.sqlite' holds no answers of a study"),
        ("nothing", STUDY, "'study.sqlite' holds no answers of a study"),
        ("database", STUDY, "'study.sqlite' holds no answers of a study"),
        ("folder", STUDY, "not a file"),
        ("", [*STUDY, "--answers", "no/study.sqlite"], "no folder 'no'"),
        ("", [*STUDY, "--hybrids", "theirs/../ours"], "two methods are called 'ours'"),
        ("", [*STUDY, "--hybrids", "photograph=theirs"], "cannot be called 'photograph'"),
        ("", [*STUDY, "--hybrids", "=theirs"], "write NAME=DIR"),
        ("", [*ASKING[:-2]], "--structure and --texture go together"),
        ("", [*STUDY, *ASKING[-4:]], "give --hybrids twice"),
        ("", [*ASKING[:-1], "structure"], "are the same picture"),
        ("", [*ASKING, "--trials", 2], "--trials must be 3 or more"),
        ("", [*STUDY, "--trials", 0], "--trials"),
        ("", [*STUDY, "--seconds", "nan"], "--seconds"),
        ("", [*STUDY, "--size", 4], "--size"),
        ("", [*STUDY, "--port", 0], "--port"),
        ("", [*STUDY, "--host", "192.0.2.1"], "cannot serve at 192.0.2.1:7861"),
        ("", ["study", "--hybrids", "ours"], "--real"),
        ("", ["study", "--real", "real"], "--hybrids"),
        ("", ["study"], "--real"),
        ("", ["study", "report", "nowhere.sqlite"], "no file 'nowhere.sqlite'"),
        ("text", ["study", "report", "study.sqlite"], "holds no answers of a study"),
        ("", ["study", "report"], "FILE"),
        ("", ["study", "report", "x.sqlite", "--csv", "x.txt"], "must end in .csv"),
        ("", ["study", "report", "x.sqlite", "--checks-passed", "2"], "--checks-passed"),
    ],
)
def test_bad_input_is_one_line(command, spoiled, arguments, part):
    spoil(spoiled)
    before = files()
    status, out, error = command(*arguments)
    assert_one_line((status, out, error), part)
    assert files() == before and "served" not in out


def test_a_taken_port_is_one_line(command):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert_one_line(command(*STUDY, "--port", port), f"cannot serve at 127.0.0.1:{port}")
    assert not Path("study.sqlite").exists()


def test_other_pictures_or_options_are_refused(command):
    assert command(*STUDY)[0] == 0
    assert_one_line(command(*STUDY, "--seconds", 2), "(--seconds: 1.0, now 2.0)")
    Image.new("RGB", (40, 30)).save("ours/secret02.png")
    assert_one_line(command(*STUDY), "(--hybrids ours: 'secret02.png' is another file)")


def test_an_empty_study_is_one_line_and_a_filled_one_is_tables(command):
    assert command(*STUDY)[0] == 0
    assert_one_line(command("study", "report", "study.sqlite"), "no answers yet")
    answers = Answers.open(Path("study.sqlite"))
    plan, viewer = answers.definition.plan, VIEWERS[7]
    trials = plan.order(viewer)
    for number, trial in enumerate(trials):
        answers.add(viewer, number, trial, attentive(["ours"])(trial, number))
    status, out, error = command("study", "report", "study.sqlite", "--csv", "a.csv", "--json", "a.json")
    assert (status, error) == (0, "")
    assert "| ours | 100.0 % |" in out and "5 of 5" in out and "One viewer" in out and "Chance, 50 %" in out
    figures = json.loads(Path("a.json").read_text())
    assert figures["fooled"]["ours"]["count"] == 5 and figures["viewers"]["finished"] == 1
    assert viewer not in Path("a.csv").read_text() + Path("a.json").read_text() + out
    with open("a.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(trials)
    for line, trial in zip(lines, trials, strict=True):
        assert (line["viewer"], line["kind"], line["role"]) == ("1", "real", trial.role)
        assert (line["first"], line["second"]) == trial.shown and line["first_ms"] == "1000.0"
        assert line["item"] == str(trial.item + 1) and line["photograph"] == f"secret{trial.item:02d}.png"
        assert line["right"] == str(int(trial.role != "counted")) and line["left_out"] == ""
    assert "a.csv" in files() and not [name for name in os.listdir() if name.startswith(".")]


def test_help_of_both(command):
    for arguments, words in (
        (["study", "--help"], ("--real", "--hybrids", "--seconds", "swapae study report FILE")),
        (["study", "report", "--help"], ("FILE", "--csv", "--checks-passed")),
    ):
        status, out, _ = command(*arguments)
        assert status == 0 and all(word in out for word in words)


@pytest.mark.slow
def test_a_report_needs_no_gradio_and_the_page_says_so(folders, tmp_path):
    filled(tmp_path / "s.sqlite", PLAN, {VIEWERS[0]: attentive()})
    program = "import sys; sys.modules['gradio'] = None\nfrom swapae.apps.cli import main; sys.exit(main())"
    report, page = (
        subprocess.run([sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True)
        for arguments in (["study", "report", "s.sqlite"], [*STUDY, "--port", "65535"])
    )
    assert report.returncode == 0 and "| a | 0.0 % |" in report.stdout, report.stderr
    assert_one_line((page.returncode, page.stdout, page.stderr), "pip install 'swapae[demo]'")
    assert not Path("study.sqlite").exists()


# What browsers send


def test_what_a_browser_sends_may_be_anything(folders, tmp_path):
    pytest.importorskip("gradio")
    from swapae.evaluation.study.page import Page

    pictures = Pictures.find({PHOTOGRAPH: folders["real"], "ours": folders["ours"]}, 32)
    plan = Plan(("ours",), 8, False, 50, 0)
    answers = Answers.open_or_make(tmp_path / "s.sqlite", Definition(plan, 1.0, 32, pictures.describe()))
    page, viewer = Page(answers, pictures), VIEWERS[9]
    good = {"number": 0, "chosen": 1, "exposures": [1000, 1001.5], "showings": 1}
    for nobody in (None, [], {}, {"viewer": 3}, {"viewer": "x" * 32}, {"viewer": VIEWERS[9] + "0"}):
        assert "problem" in page.turn(nobody)
    for changes in (
        {"number": -1}, {"number": 8}, {"number": "0"}, {"number": True}, {"chosen": 0}, {"chosen": 3},
        {"exposures": None}, {"exposures": [1]}, {"exposures": [1, "2"]}, {"exposures": [float("nan"), 1]},
        {"exposures": [-1, 1]}, {"showings": 0}, {"showings": 1.5}, {"showings": None}, {"chosen": [1]},
    ):  # fmt: skip
        assert "problem" in page.turn({"viewer": viewer, "answer": good | changes}), changes
    assert "problem" in page.turn({"viewer": viewer, "answer": [1]})
    assert answers.rows() == []
    reply = page.turn({"viewer": viewer, "answer": None})
    assert (reply["total"], reply["done"], reply["trial"]["number"]) == (8, 0, 0)
    assert set(reply) == {"total", "done", "trial"} and set(reply["trial"]) == {"number", "kind", "pictures"}
    after = page.turn({"viewer": viewer, "answer": good})
    assert after["done"] == 1 and after["practice"]["fake"] == 1 + plan.order(viewer)[0].shown.index(SHUFFLED)
    again = page.turn({"viewer": viewer, "answer": good | {"chosen": 2}})
    assert again["done"] == 1 and [row.answer.chosen for row in answers.rows()] == [1]
    assert page.turn({"viewer": viewer, "answer": good | {"number": 5}})["done"] == 1
    assert "practice" not in page.turn({"viewer": viewer, "answer": good | {"number": 1}})
    page.waiting = 64  # of them no more wait for a thread
    assert asyncio.run(page.bounded()({"viewer": viewer, "answer": None})) == {"busy": True}
    page.waiting = 63
    assert asyncio.run(page.bounded()({"viewer": viewer, "answer": None}))["done"] == 2 and page.waiting == 63
    Path(folders["real"], f"secret{plan.order(viewer)[2].item:02d}.png").unlink()
    assert "has gone" in page.turn({"viewer": viewer, "answer": None})["problem"]
