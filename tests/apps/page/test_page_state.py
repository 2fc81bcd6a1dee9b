"""What is behind the page: turns, long work, history, visits, results and the edits that are on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from studio_page import encoded, painted, tiny_model
from visiting import everything, inputs, settled, shown

from swapae import UserError
from swapae.apps.page import tabs
from swapae.apps.page.arrivals import ArrivalHandlers
from swapae.apps.page.dragging import DraggingHandlers
from swapae.apps.page.edits_on import edits_html, edits_on
from swapae.apps.page.enlarging import enlarge
from swapae.apps.page.examples import examples
from swapae.apps.page.filming import MAX_FRAMES, FilmSettings, make_film, steps_of
from swapae.apps.page.handlers import NOTHING_NEW
from swapae.apps.page.history import History, HistoryStep
from swapae.apps.page.long_work import Stopped, Told, told
from swapae.apps.page.motion import MotionHandlers, progress_words, steadiness
from swapae.apps.page.previews import PreviewHandlers
from swapae.apps.page.results import KEPT, MOST, Results
from swapae.apps.page.settings import DEFAULTS, ROLES, checked
from swapae.apps.page.slot_handlers import SlotHandlers
from swapae.apps.page.slots import uploaded
from swapae.apps.page.studio import Studio
from swapae.apps.page.turns import Turns
from swapae.apps.page.uploads import UploadCache

WAIT = 20


HALF = {"height": 32, "width": 32, "runs": [255, 16, 0, 16] * 32}


def wait_until(turns: Turns, waiting: int) -> None:
    """Until so many wait for a turn."""
    pause = threading.Event()
    for _ in range(2000):
        if turns.waiting == waiting:
            return
        pause.wait(0.005)
    raise AssertionError(f"{turns.waiting} wait, not {waiting}")


def test_an_edit_goes_before_frames_that_wait_and_frames_are_not_forgotten() -> None:
    turns, order, threads = Turns(), [], []

    def take(kind: str) -> None:
        with turns.edit() if kind == "edit" else turns.one_of_many():
            order.append(kind)

    with turns.one_of_many():  # a frame is being made, and now come two others, and three edits
        for number, kind in enumerate(["frame", "frame", "edit", "edit", "edit"], 1):
            threads.append(threading.Thread(target=take, args=(kind,)))
            threads[-1].start()
            wait_until(turns, number)
    for thread in threads:
        thread.join(WAIT)
    assert order == ["edit", "frame", "edit", "frame", "edit"]
    with turns.edit(), turns.one_of_many():  # a thread that has its turn does not wait for itself
        assert turns.waiting == 0
    with pytest.raises(ValueError, match="bad"), turns.edit():
        raise ValueError("bad")
    with turns.edit():
        assert turns.waiting == 0


def test_a_page_that_stops_lets_the_one_who_computes_finish_and_nobody_else_begin() -> None:
    turns, told, computing, finish = Turns(), [], threading.Event(), threading.Event()

    def compute() -> None:
        with turns.edit():
            computing.set()
            assert finish.wait(WAIT)
            told.append("computed")

    def wait() -> None:
        with pytest.raises(UserError, match="being stopped"), turns.one_of_many():
            told.append("never")
        told.append("sent away")

    def stop() -> None:
        turns.end()
        told.append("ended")

    threads = [threading.Thread(target=task) for task in (compute, wait, stop)]
    threads[0].start()
    assert computing.wait(WAIT)
    threads[1].start()
    wait_until(turns, 1)
    threads[2].start()
    threads[1].join(WAIT)
    assert told == ["sent away"]
    finish.set()
    for thread in threads:
        thread.join(WAIT)
    assert told == ["sent away", "computed", "ended"]
    with pytest.raises(UserError, match="being stopped"), turns.edit():
        pass
    assert turns.waiting == 0


def test_an_edit_goes_between_the_frames_of_a_film(tmp_path: Path) -> None:
    studio, order = Studio(tiny_model()), []
    files = {role: encoded(painted(64, 64, seed)) for seed, role in enumerate(ROLES[:2])}
    values = DEFAULTS | {"gains": [], "axes": []}
    edit = threading.Thread(target=lambda: (studio.edit(files, values), order.append("edit")))

    def watched(frames: Iterator, total: int) -> Iterator:
        for number, frame in enumerate(frames):
            order.append(number)
            if number == 2:
                edit.start()
                edit.join(WAIT)  # it ends while the film is under way
            yield frame

    make_film(studio, files, values, tmp_path / "a.gif", FilmSettings(frames=3), watched)
    assert order == [0, 1, 2, "edit", 3, 4, 5]


@pytest.mark.parametrize("back", [False, True])
def test_dragged_points_move_in_a_film(tmp_path: Path, back: bool) -> None:
    studio, files = Studio(tiny_model()), {role: encoded(painted(64, 64, seed)) for seed, role in enumerate(ROLES[:2])}
    values = DEFAULTS | {"gains": [], "axes": [], "amount": 0.0, "points": [[0.5, 0.5, 0.8, 0.2]]}
    frames: list[Image.Image] = []

    def watched(made: Iterator, total: int) -> Iterator:
        for frame in made:
            frames.append(frame)
            yield frame
        assert len(frames) == total

    make_film(studio, files, values, tmp_path / "a.gif", FilmSettings(frames=2, back=back), watched)
    half = studio.edit(files, values | {"points": [[0.5, 0.5, 0.65, 0.35]]}).image
    whole = studio.edit(files, values).image

    def levels(one: Image.Image, other: Image.Image) -> int:
        return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())

    assert len(frames) == (4 if back else 3)
    # Films have codes of unit length, which round otherwise.
    assert max(levels(frames[1], half), levels(frames[2], whole)) <= 4
    assert min(levels(frames[0], half), levels(half, whole)) > 20
    assert not back or frames[3] == frames[1]


def test_long_work_is_told_and_gives_its_result() -> None:
    seconds = iter([0.0, 2.0, 4.0, 6.0])

    def work(progress) -> list[int]:
        return list(progress(iter([5, 6, 7]), 3))

    news = told(work, threading.Event(), clock=lambda: next(seconds))
    heard = []
    with pytest.raises(StopIteration) as end:
        while True:
            heard.append(next(news))
    assert end.value.value == [5, 6, 7]
    assert heard == [Told(1, 3, 4.0), Told(2, 3, 2.0), Told(3, 3, 0.0)]


@pytest.mark.parametrize("how", ["stop", "close"])
def test_long_work_stops_within_a_piece(how: str) -> None:
    stop, ended, made, goes_on = threading.Event(), threading.Event(), [], threading.Semaphore(1)

    def pieces() -> Iterator[int]:
        for number in range(1000):
            assert goes_on.acquire(timeout=WAIT)
            made.append(number)
            yield number

    def work(progress) -> None:
        try:
            for _ in progress(pieces(), 1000):
                pass
        except Stopped:
            ended.set()
            raise

    news = told(work, stop)
    assert next(news).done == 1
    if how == "stop":
        stop.set()
        goes_on.release()
        with pytest.raises(Stopped):
            next(news)
    else:
        news.close()
        goes_on.release()
    assert ended.wait(WAIT) and made == [0, 1]


def test_what_goes_wrong_in_long_work_is_raised() -> None:
    def work(progress) -> None:
        raise UserError("no such film")

    with pytest.raises(UserError, match="no such film"):
        next(told(work, threading.Event()))


def test_progress_in_words() -> None:
    assert progress_words(Told(3, 48, 12.4)) == "Frame 3 of 48, about 12 seconds left"
    assert progress_words(Told(47, 48, 0.2)) == "Frame 47 of 48, about 1 second left"
    assert progress_words(Told(3, 300, 600.0)) == "Frame 3 of 300, about 10 minutes left"
    assert progress_words(Told(48, 48, 0.0)) == "Frame 48 of 48; writing the file"
    assert progress_words(Told(5, 0, None)) == "Frame 5"
    assert steadiness(None) != steadiness(0.1) != steadiness(9.0)


def test_film_settings_cannot_contradict_each_other() -> None:
    for kind in ("edit", "textures", "direction"):
        for photographs in range(2, len(ROLES) + 1):
            for back in (True, False):
                for frames in range(8, MAX_FRAMES + 1):
                    steps = steps_of(kind, photographs, frames, back)
                    stops = {"edit": 2, "textures": photographs}.get(kind, 4 if back else 3)
                    total = stops * steps if back else (stops - 1) * steps + 1
                    assert steps >= 2 and total <= max(frames, 2 * stops) <= MAX_FRAMES
    with pytest.raises(UserError, match="Frames must be a whole number from 2 to 96"):
        steps_of("edit", 2, 97, True)


def test_a_film_is_told_and_its_name_shows_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    handlers = everything(monkeypatch, tmp_path)
    motion = MotionHandlers(handlers.models, handlers.visits, handlers.results)
    arguments = [*inputs(handlers.visits, "name"), "edit", "", 1, 8, 12, True, "gif"]
    told = list(motion.filmed(*arguments))
    notes = [one[1] for one in told]
    assert "Frame 1 of 8" in notes[1] and "Frame 8 of 8" in notes[8] and len(told) == 10
    assert [(one[2].interactive, one[2].value, one[4].visible) for one in (told[3], told[-1])] == [
        (False, "Making the film ...", True),
        (True, "Make the film", False),
    ]
    path, _, file = motion.shown(told[-1][0])
    assert path == file and Path(path).is_file()
    assert motion.shown("../../etc/passwd") == motion.shown("") == (None, None, None)
    # Cancelled, it says so, and so does what cannot be.
    half = motion.filmed(*arguments)
    next(half), next(half)
    motion.stopped()
    assert "Stopped" in list(half)[-1][1]
    refused = list(motion.filmed(*arguments[:-4], 97, 12, True, "gif"))
    assert "Frames must be a whole number" in refused[-1][1] and refused[-1][2].interactive


def test_results_have_names_that_nobody_guesses_and_end_with_their_visit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    results = Results()
    paths = [results.new("png", "mine") for _ in range(MOST + 2)]
    for path in paths[2:]:
        path.write_bytes(b"")
    other = results.new("../x", "other")
    other.write_bytes(b"")
    assert len({path.parent for path in paths}) == len(paths) and all(len(path.parent.name) >= 32 for path in paths)
    assert not paths[0].parent.exists() and other.suffix == ".file"
    name = f"{paths[-1].parent.name}/{paths[-1].name}"
    assert results.find(name, "mine") == paths[-1] and results.find(name, "other") is None
    stop = results.stopping("mine")
    results.leave("mine")
    assert stop.is_set() and not paths[-1].parent.exists() and other.is_file()


def test_results_of_visits_that_never_leave_go_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    now = [0.0]
    monkeypatch.setattr("swapae.apps.page.results.time.monotonic", lambda: now[0])
    results, made = Results(), {}
    for call in ("call 1", "page", "call 2", "page", "call 3"):
        made.setdefault(call, []).append(results.new("png", call).parent)
        now[0] += 0.6 * KEPT
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for call in ("page", "call 3") for path in made[call]
    )
    results.new("png", "call 4")
    now[0] += KEPT + 1
    results.new("png", "")
    assert len([*tmp_path.iterdir()]) == 1


def test_history_brings_photographs_back_and_knows_what_is_no_step() -> None:
    def step(control: str, path: str, slides: bool = False) -> HistoryStep:
        return HistoryStep({}, control, 0.0, "", {"structure": path}, slides)

    history = History().added(step("Opening", "a"))
    assert not history.undoes and not history.redoes
    history = history.added(step("photograph", "b")).added(step("photograph", "c"))
    assert len(history.steps) == 3  # although none of them took long
    assert history.undone().step.paths == {"structure": "b"} and history.undone().redoes
    away = history.elsewhere()
    assert away.undoes and away.undone().step.paths == {"structure": "c"} and not away.undone().away
    assert not history.moved(0).undoes and history.moved(0).elsewhere().undoes


def test_edits_that_are_on_are_listed_and_each_can_be_taken_away() -> None:
    values = checked(
        {
            **{"amount": 0.5, "coarse": 0.0, "keep": "colour", "third": 0.7, "gains": [0, 1.5], "axes": [0, 0, 1.0]},
            **{"paint": {"third": HALF, "own": HALF}, "translation": 1.0, "shape": 0.2, "flip": True, "wider": 20.0},
            **{"join": ["texture", "fourth"], "still": HALF, "points": [[0, 0, 0, 0], [0, 0, 1, 1]]},
        }
    )
    edits = edits_on(values, ["warm", "bright"])
    assert [(one.tab, one.words) for one in edits] == [
        ("swap", "Look of 2: 50 %"),
        ("swap", "Coarse shapes: 0 %"),
        ("swap", "Colours kept"),
        ("mix", "Look of 3: 70 %"),
        ("regions", "Painted: look of 3"),
        ("regions", "Painted: its own look"),
        ("directions", "Bright +1.5"),
        ("directions", "Texture axis 3 +1"),
        ("directions", "To the other kind +1"),
        ("structure", "1 point dragged"),
        ("structure", "Painted: not dragged"),
        ("structure", "Shapes of 2: 20 %"),
        ("structure", "A piece copied"),
        ("structure", "20 % wider"),
        ("structure", "Beside it: 2"),
        ("structure", "Beside it: 4"),
    ]
    for one in edits:
        left = edits_on(values | one.without, ["warm", "bright"])
        parts = {"amount": {"coarse"}, "points": {"still"}}.get(one.name, set())
        gone = {one.name} | parts
        assert {other.name for other in left} == {other.name for other in edits} - gone
        assert one.name in edits_html(edits)
    assert "No edits" in edits_html(edits_on(checked({"amount": 0}), []))


def test_a_visit_is_found_again_and_one_of_before_the_start_is_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    first = shown(handlers.moved("Strength", *inputs(handlers.visits, "a", amount=0.3)))
    assert first["undo"].interactive is False and first["keeper"]["state"] == "here"
    second = shown(handlers.moved("Strength", *inputs(handlers.visits, "a", amount=0.0, keep="colour")))
    assert second["keeper"]["visit"]["values"]["keep"] == "colour"
    kept = handlers.visits.named(f"{handlers.visits.start}.a")
    assert kept.values["amount"] == 0.0 and len(kept.history.steps) in (1, 2) and not kept.lost
    arrivals = ArrivalHandlers(handlers)
    again = shown(settled(handlers, kept.name, arrivals.restored(gr.EventData(None, {"name": kept.name}))))
    assert again["result"] == second["result"] and again["strip"] == second["strip"]

    # A visit of before: nothing is shown in its place, and the browser is told.
    lost = shown(handlers.moved("Strength", *["before.a", *inputs(handlers.visits, "a")[1:]]))
    assert lost["result"] == gr.skip() and "started anew" in lost["status"]
    assert lost["keeper"] == {"state": "lost"} and handlers.visits.known("before.a") is None
    resumed = arrivals.resumed(gr.EventData(None, {"name": "x.y", "visit": json.dumps(second["keeper"]["visit"])}))
    assert shown(settled(handlers, "x.y", resumed))["result"] == second["result"]


@pytest.mark.parametrize(
    "kept",
    [
        None,
        3,
        {},
        {"values": {"amount": 9}, "photographs": {"structure": "/etc/passwd", "texture": {"example": 99}}},
        {"values": [], "photographs": [], "model": "/etc"},
        {"photographs": {"structure": {"example": "x"}, "nobody": {"example": 1}}, "values": {"nothing": 1}},
    ],
)
def test_what_a_browser_says_it_kept_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: object
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    arrivals = ArrivalHandlers(handlers)
    visit = arrivals.kept_by_browser(json.dumps(kept) if kept else kept, handlers.visits.named(""))
    assert visit.values == handlers.visits.opening.values and visit.model == ""
    assert set(visit.paths.values()) <= {str(example.path) for example in examples()}


def test_only_uploads_are_taken_for_uploads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/a.png").write_bytes(b"")
    (tmp_path / "secret").write_bytes(b"")
    (tmp_path / "cache/link").symlink_to(tmp_path / "secret")
    assert uploaded(str(tmp_path / "cache/a.png")) == str(tmp_path / "cache/a.png")
    for path in (None, 3, "", "a\0b", "/etc/passwd", str(tmp_path / "cache/../secret"), str(tmp_path / "cache/link")):
        with pytest.raises(UserError, match="did not arrive"):
            uploaded(path)


def test_an_upload_is_a_step_and_undo_brings_the_old_photograph_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    slots, settings = SlotHandlers(handlers), inputs(handlers.visits, "a")
    opening = shown(handlers.moved("Strength", *settings))["result"]
    (tmp_path / "a.png").write_bytes(encoded(painted(80, 64, 1)))
    new = slots.uploading("structure")(gr.EventData(None, {"path": str(tmp_path / "a.png")}), *settings)
    assert shown(new)["result"] != opening and shown(new)["undo"].interactive
    assert new[0]["preview"] and new[0]["remark"].startswith("This model knows flowers") and new[1] == gr.skip()
    back = handlers.undo(*settings)
    pictured = shown(handlers.rendered(*settings))
    assert pictured["result"] == opening and pictured["redo"].interactive
    assert back[0]["preview"] and not back[0]["remark"]
    # A bad one changes nothing but what is said beside it.
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = slots.uploading("texture")(gr.EventData(None, {"path": str(tmp_path / "bad.png")}), *settings)
    assert shown(bad)["result"] == gr.skip() and "The photograph from before is kept" in bad[1]["problem"]
    assert bad[0] == gr.skip() and shown(bad)["strip"] == pictured["strip"]


def test_strokes_and_buttons_of_the_painter_are_steps_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    settings = inputs(handlers.visits, "a")
    handlers.moved("Strength", *settings)
    empty = {"height": 32, "width": 32, "runs": [0, 1024]}
    for paint, did in (({"own": HALF}, "Invert"), ({"third": HALF}, "Clear"), ({"third": empty}, "Clear all")):
        last = handlers.painted(gr.EventData(None, {"paint": paint, "did": did}), *settings)
    steps = handlers.visits.named(settings[0]).history.steps
    assert [step.control for step in steps][-3:] == ["Invert", "Clear", "Clear all"]
    assert shown(last)["strip"].count("<button") == len(steps)


def test_the_way_of_a_point_is_one_step_and_what_is_undone_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    dragging, name = DraggingHandlers(handlers), f"{handlers.visits.start}.a"

    def pull(turn: int, points: object, press: int, number: object = 1) -> tuple:
        event = gr.EventData(None, {"points": points, "still": None, "did": "Point", "press": press, "number": number})
        return dragging.dragged(event, *inputs(handlers.visits, "a", turn=turn))

    def points(visit_or_step: object) -> list:
        return visit_or_step.values["points"]

    handlers.moved("Strength", *inputs(handlers.visits, "a", turn=1))
    first, second = [0.5, 0.5, 0.6, 0.5], [0.1, 0.2, 0.1, 0.3]
    pull(2, [[0.5, 0.5, 0.55, 0.5]], 100)
    pull(3, [first], 100)
    answer, *told = pull(4, [first, second], 200, 7)
    assert answer == {"answer": 7} and shown(tuple(told))["result"] != gr.skip()
    kept = handlers.visits.named(name)
    assert [points(step) for step in kept.history.steps] == [[], [first], [first, second]]
    undone = handlers.undo(*inputs(handlers.visits, "a", turn=6))
    assert undone[-1]["points"] == points(handlers.visits.named(name)) == [first]
    # One that was on its way when it was undone changes nothing any more.
    assert pull(5, [first, second], 300)[1:] == NOTHING_NEW
    assert points(handlers.visits.named(name)) == [first]
    # What comes from a browser may be anything, and is said.
    for bad in ("all", [[0.5, 0.5, 2, 0.5]], None):
        answer, *told = pull(7, bad, 400, "x")
        assert answer == {"answer": 0} and "Dragged points must be" in shown(tuple(told))["status"]
    assert points(handlers.visits.named(name)) == [first]


def test_a_larger_picture_is_made_in_turns_at_its_size() -> None:
    studio = Studio(tiny_model())
    files = {role: encoded(painted(300, 200, seed)) for seed, role in enumerate(ROLES[:2])}
    pieces: list[int] = []

    def progress(tiles: Iterator, total: int) -> Iterator:
        for tile in tiles:
            pieces.append(total)
            yield tile

    values = DEFAULTS | {"gains": [], "axes": [], "keep": "luminance"}
    small = studio.edit(files, values).image
    large = enlarge(studio, files, values, 2.0, progress)
    assert large.size == (2 * small.width, 2 * small.height) and len(pieces) == 3
    assert "Generated by swapae" in large.info["Comment"]
    with pytest.raises(UserError, match="million pixels: choose a smaller size"):
        enlarge(studio, files, values, 200.0, progress)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("1", (12000, 9000)))
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match="12000x9000"):
        UploadCache(tiny_model()).get(data)


def test_a_tab_opened_before_any_edit_shows_what_it_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The visit is not kept yet then; of its tab the page knows all the same, also when a photograph comes later."""
    handlers = everything(monkeypatch, tmp_path)
    previews, arguments = PreviewHandlers(handlers), inputs(handlers.visits, "a")
    assert handlers.visits.known(arguments[0]) is None
    places = list(tabs.TAB_PRESETS)
    for values in (
        previews.opened(gr.EventData(None, {"tab": "structure"}), *arguments),
        previews.refreshed(*arguments),
    ):
        assert values[places.index("structure")].count("<img") == len(tabs.TAB_PRESETS["structure"])
        assert values[places.index("swap")] == gr.skip()
