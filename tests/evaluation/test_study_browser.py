"""A human study in a real browser: simulated viewers, whose behaviour the report has to give back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from swapae.evaluation.study.answers import Answers
from swapae.evaluation.study.trials import PHOTOGRAPH

pytestmark = pytest.mark.slow

ITEMS = 24
TIMEOUT = 60_000
# Pictures whose colours say what they are; each item has its own shade.
COLOURS = {
    "photographs": (10, 200),
    "ruddy": (200, 10),
    "bluish": (10, 10),
    "layouts": (200, 200),
    "materials": (10, 200),
}
BLUE = {"photographs": 10, "ruddy": 10, "bluish": 200, "layouts": 10, "materials": 200}
OURS = {"green": PHOTOGRAPH, "red": "ruddy", "blue": "bluish"}

# A viewer in the page: reads colours from the canvases, answers as its behaviour says, and writes down what it did.
ROBOT = """
(() => {
  const me = %s;
  const kept = (name, otherwise) => JSON.parse(localStorage.getItem(name) ?? JSON.stringify(otherwise));
  const keep = (name, value) => localStorage.setItem(name, JSON.stringify(value));
  const back = kept('come back', false);
  const complain = (text) => keep('complaints', [...kept('complaints', []), text]);
  // The id that the study draws.
  const random = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (array) => {
    if (array.length !== 16) return random(array);
    array.set(me.viewer.match(/../g).map((pair) => parseInt(pair, 16)));
    return array;
  };
  // Nothing that comes before an answer may tell what is what.
  const get = window.fetch.bind(window);
  window.fetch = async (...arguments) => {
    const response = await get(...arguments);
    if (String(arguments[0]?.url ?? arguments[0]).includes('component_server')) {
      const text = (await response.clone().text()).toLowerCase();
      for (const word of me.secrets) if (text.includes(word)) complain('the traffic tells ' + word);
      keep('replies', kept('replies', 0) + 1);
    }
    return response;
  };
  // What is on the screen, read from the canvas at the moment when it is drawn.
  const pixels = (canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const colour = (canvas) => {
    const data = pixels(canvas), count = data.length / 4, sums = [0, 0, 0], squares = [0, 0, 0];
    for (let place = 0; place < data.length; place += 4)
      for (const k of [0, 1, 2]) { sums[k] += data[place + k]; squares[k] += data[place + k] ** 2; }
    if (squares.some((square, k) => square / count - (sums[k] / count) ** 2 > 400)) return 'mixed';
    const [red, green, blue] = sums.map((sum) => sum / count > 100);
    if (red && green && blue) return 'grey';
    return red ? (green ? 'yellow' : 'red') : green ? (blue ? 'cyan' : 'green') : 'blue';
  };
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  let seen = [];
  CanvasRenderingContext2D.prototype.drawImage = function (...arguments) {
    draw.apply(this, arguments);
    seen.push(colour(this.canvas));
  };
  const chance = (number) => {  // a random number in [0, 1), always the same of a viewer's trial
    let h = me.seed * 1000 + number;
    for (const _ of [1, 2, 3]) { h = Math.imul(h ^ h >>> 16, 0x45d9f3b); h = (h ^ h >>> 16) >>> 0; }
    return h / 2 ** 32;
  };
  const decide = (number, question) => {
    if (me.careless) return 1;
    const [first, second, reference] = seen, luck = chance(number);
    if (question.includes('fake')) {
      if (first === 'mixed' || second === 'mixed') return first === 'mixed' ? 1 : 2;
      const hybrid = first === 'green' ? second : first, fooled = luck < me.fooled[hybrid];
      return (first === hybrid) !== fooled ? 1 : 2;
    }
    if (first === reference || second === reference) return first === reference ? 1 : 2;
    const red = luck < (question.includes('style') ? me.style : me.content);
    return (first === 'red') === red ? 1 : 2;
  };
  setInterval(() => {
    const asking = document.querySelector('#study .asking');
    if (!kept('go', false)) return;
    const on = [...document.querySelectorAll('#study [data-do=on]')].find((b) => b.offsetParent && !b.disabled);
    if (on) return on.click();
    if (!asking || asking.hidden || !seen.length) return;
    const number = parseInt(document.querySelector('#study .count').textContent);
    if (number === me.stop && !back) return;
    const question = document.querySelector('#study .question').textContent, log = kept('log', []);
    if (question.includes('fake'))
      for (const canvas of document.querySelectorAll('#study canvas'))
        if (canvas.offsetParent && colour(canvas) !== 'grey') complain('a picture is still there');
    if (seen.length !== (question.includes('fake') ? 2 : 3)) complain('saw ' + seen);
    const chosen = decide(number, question);
    keep('log', [...log, {number, question, seen, chosen}]);
    seen = [];
    document.querySelector(`#study [data-answer="${chosen}"]`).click();
  }, 15);
})();
"""


def person(number: int, red: float, blue: float, **more: Any) -> dict[str, Any]:
    behaviour = {"seed": number, "viewer": f"{number * 7919:032x}", "fooled": {"red": red, "blue": blue}}
    return behaviour | {"style": 0.7, "content": 0.2, "careless": False, "stop": -1} | more


PEOPLE = [
    person(1, 0, 0),  # always finds the fake
    person(2, 1, 1),  # is always fooled
    *(person(number, 0.3, 0.6) for number in range(3, 7)),
    person(7, 0.3, 0.6, careless=True),
    person(8, 0.3, 0.6, stop=4),
]
TRUTH = {"ruddy": (0 + 1 + 5 * 0.3) / 7, "bluish": (0 + 1 + 5 * 0.6) / 7}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hushhush")
    for name, (red, green) in COLOURS.items():
        (folder / name).mkdir()
        for item in range(ITEMS):
            colour = (red + item, green + item, BLUE[name] + item)
            Image.new("RGB", (64, 64), colour).save(folder / name / f"confidential{item:02d}.png")
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`swapae study` as a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path, answers: str, *options: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.arguments = [
            "study", "--real", "photographs", "--hybrids", "ruddy", "--hybrids", "bluish", "--structure", "layouts",
            "--texture", "materials", "--answers", answers, "--seconds", "0.05", "--size", "32",
            "--port", str(self.port), *options,
        ]  # fmt: skip

    def start(self) -> None:
        self.log = (self.folder / f"{self.port}.txt").open("a")
        environment = os.environ | {"NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "swapae", *self.arguments],
            cwd=self.folder, env=environment, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.url).close()
                return
            assert self.process.poll() is None, (self.folder / f"{self.port}.txt").read_text()
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait()
        self.log.close()


@contextlib.contextmanager
def serving(folder: Path, answers: str, *options: str) -> Iterator[Server]:
    server = Server(folder, answers, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def watched(context: BrowserContext, url: str, strangers: list[str], complaints: list[str]) -> Page:
    """A page that asks only this machine and complains of nothing, but of a server that is not there."""
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.on("request", lambda request: request.url.startswith((url, "data:", "blob:")) or strangers.append(request.url))
    page.on(
        "console",
        lambda message: message.type == "error" and "net::ERR_" not in message.text and complaints.append(message.text),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def logs(pages: Sequence[Page]) -> list[list[dict[str, Any]]]:
    return [json.loads(page.evaluate("localStorage.getItem('log') ?? '[]'")) for page in pages]


def report(folder: Path, answers: str, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "swapae", "study", "report", answers, "--json", "report.json", *options],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Chance, 50 %" in done.stdout
    return json.loads((folder / "report.json").read_text())


def wait_for(page: Page, ready: Any) -> None:
    deadline = time.monotonic() + TIMEOUT / 1000
    while not ready():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def expected(entries: Sequence[dict[str, Any]]) -> dict[str, Counter]:
    """Counts of what viewers did in trials that count: shown, and fooled or preferred, by question and method."""
    counts: dict[str, Counter] = {kind: Counter() for kind in ("fake", "style", "content")}
    for entry in entries:
        kind = next(kind for kind in counts if kind in entry["question"])
        methods = [OURS[colour] for colour in entry["seen"][:2] if colour in ("red", "blue")]
        if len(methods) != (1 if kind == "fake" else 2):  # a practice, or an attention check
            continue
        chosen = OURS[entry["seen"][entry["chosen"] - 1]]
        for method in methods:
            counts[kind][method, "shown"] += 1
            counts[kind][method, "taken"] += chosen == (PHOTOGRAPH if kind == "fake" else method)
    return counts


def test_the_report_gives_back_what_viewers_did_through_a_killed_server(browser: Browser, folder: Path) -> None:
    answers, strangers, complaints = folder / "study.sqlite", [], []
    secrets = ["ruddy", "bluish", "confidential", "hushhush", "photograph", "shuffled", "layouts", "materials", "check"]
    with serving(folder, answers.name, "--trials", "18") as server:
        contexts, pages = [], []
        for one in PEOPLE:
            context = browser.new_context(viewport={"width": 700, "height": 700})
            context.add_init_script(ROBOT % json.dumps(one | {"secrets": secrets}))
            contexts.append(context)
            pages.append(watched(context, server.url, strangers, complaints))
        for page in pages:
            page.goto(server.url)
        for page in pages:
            expect(page.locator("#study .welcome button")).to_be_enabled(timeout=TIMEOUT)
        for page in pages:  # all at once
            page.evaluate("localStorage.setItem('go', 'true')")

        def stored() -> int:
            return len(Answers.open(answers).rows())

        wait_for(pages[0], lambda: stored() >= 60)
        server.stop(signal.SIGKILL)
        # What a browser went on from is in the file, and only the last answer may be one it has not heard back of.
        kept = {(row.viewer, row.number): row.answer.chosen for row in Answers.open(answers).rows()}
        for one, log in zip(PEOPLE, logs(pages), strict=True):
            for entry in log[:-1]:
                assert kept[one["viewer"], entry["number"]] == entry["chosen"]
        with sqlite3.connect(answers) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        wait_for(pages[0], lambda: any(page.get_by_text("trying again").is_visible() for page in pages))
        server.start()

        for page in pages[:-1]:
            expect(page.locator("#study .thanks")).to_be_visible(timeout=TIMEOUT)
        # The last one looks at a trial without answering, and comes back: to the same one.
        stopped = pages[-1]
        expect(stopped.locator("#study .count")).to_have_text("4 of 22", timeout=TIMEOUT)
        expect(stopped.locator("#study .asking")).to_be_visible(timeout=TIMEOUT)
        assert [entry["number"] for entry in logs([stopped])[0]] == list(range(4))
        stopped.evaluate("localStorage.setItem('come back', 'true')")
        stopped.reload()
        expect(stopped.locator("#study .thanks")).to_be_visible(timeout=TIMEOUT)
        # Who has finished is thanked again, and asked nothing.
        pages[0].reload()
        expect(pages[0].locator("#study .thanks")).to_be_visible(timeout=TIMEOUT)

        done = logs(pages)
        assert not [page.evaluate("localStorage.getItem('complaints')") for page in pages if
                    page.evaluate("localStorage.getItem('complaints')")]  # fmt: skip
        assert all(int(page.evaluate("localStorage.getItem('replies')")) >= 22 for page in pages)
        for context in contexts:
            context.close()
    assert not strangers and not complaints

    plan = Answers.open(answers).definition.plan
    rows = Answers.open(answers).rows()
    assert len(rows) == len({(row.viewer, row.number) for row in rows}) == 22 * len(PEOPLE)
    assert {row.viewer for row in rows} == {one["viewer"] for one in PEOPLE}
    for one, log in zip(PEOPLE, done, strict=True):
        trials = plan.order(one["viewer"])
        # Every trial once, with the pictures that the plan says, in its order.
        assert [entry["number"] for entry in log] == list(range(22))
        for trial, entry in zip(trials, log, strict=True):
            if trial.role == "counted":
                assert tuple(OURS[colour] for colour in entry["seen"][:2]) == trial.shown
    assert [row.number for row in rows if row.answer.showings > 1] == [4]
    assert all(row.answer.exposures for row in rows if row.trial.kind == "real")

    # A busy machine may miss frames: how exact times are is no matter of this test.
    made = report(folder, answers.name, "--tolerance", "3600000", "--csv", "answers.csv")
    assert made["viewers"] == {"answered": 8, "finished": 8, "counted": 7, "inattentive": 1, "unchecked": 0}
    assert made["left_out"] == {"viewer failed attention checks": 22, "shown more than once": 1}
    counted = [
        entry for one, log in zip(PEOPLE, done, strict=True) if not one["careless"] for entry in log
        if entry["number"] != one["stop"]
    ]  # fmt: skip
    truth = expected(counted)
    for method in ("ruddy", "bluish"):
        rate = made["fooled"][method]
        assert (rate["count"], rate["trials"]) == (truth["fake"][method, "taken"], truth["fake"][method, "shown"])
        assert rate["low"] < TRUTH[method] < rate["high"] and rate["viewers"] == 7
        for kind, chance in (("style", 0.7), ("content", 0.2)):
            rate = made["preferred"][kind][method]
            assert (rate["count"], rate["trials"]) == (truth[kind][method, "taken"], truth[kind][method, "shown"])
            assert rate["trials"] == 42
            assert rate["low"] < (chance if method == "ruddy" else 1 - chance) < rate["high"]
    assert (folder / "answers.csv").read_text().count("\n") == 1 + 22 * len(PEOPLE)


def test_a_person_with_a_keyboard_and_a_phone(browser: Browser, folder: Path) -> None:
    strangers, complaints, papers = [], [], []
    with serving(folder, "phone.sqlite", "--trials", "3") as server:
        for scheme in ("dark", "light"):
            context = browser.new_context(viewport={"width": 390, "height": 780}, color_scheme=scheme)
            page = watched(context, server.url, strangers, complaints)
            page.goto(server.url)
            begin = page.locator("#study .welcome button")
            expect(begin).to_be_enabled(timeout=TIMEOUT)
            expect(page.locator("#study .welcome")).to_contain_text("You can stop at any time")
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.keyboard.press("1")  # which answers nothing yet
            page.keyboard.press("Space")
            expect(page.locator("#study .introduction")).to_contain_text("0.05 seconds each")
            page.keyboard.press("Enter")
            asking, feedback = page.locator("#study .asking"), page.locator("#study .feedback")
            for number, key in enumerate(("1", "ArrowRight", "2", "ArrowLeft", "1", "2", "1")):
                if number in (3, 5):
                    expect(page.locator("#study .introduction")).to_be_visible(timeout=TIMEOUT)
                    page.keyboard.press("Enter")
                expect(page.locator("#study .count")).to_have_text(f"{number} of 7", timeout=TIMEOUT)
                expect(asking).to_be_visible(timeout=TIMEOUT)
                assert page.evaluate("document.documentElement.scrollWidth") <= 390
                for place in ("1", "2"):
                    box = page.locator(f'#study [data-answer="{place}"]').bounding_box()
                    assert box["y"] + box["height"] <= 780 and box["height"] >= 48
                page.keyboard.press("Space")  # which is no answer
                expect(asking).to_be_visible()
                page.keyboard.press(key)
                if number == 0:
                    expect(feedback).to_be_visible(timeout=TIMEOUT)
                    page.keyboard.press("Space")
            expect(page.locator("#study .thanks")).to_be_visible(timeout=TIMEOUT)
            context.close()
        forbidden = ("photographs/confidential01.png", "phone.sqlite", "../../etc/passwd")
        for name in forbidden:
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{server.url}gradio_api/file={folder / name}")
            assert caught.value.code in (403, 404)
        sent = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nlong\r\n--x--\r\n'
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(
                urllib.request.Request(
                    f"{server.url}gradio_api/upload", sent, {"Content-Type": "multipart/form-data; boundary=x"}
                )
            )
        assert caught.value.code == 413
        for address in ("", "config"):
            with urllib.request.urlopen(server.url + address) as response:
                text = response.read().decode()
            assert not re.search("ruddy|bluish|confidential|hushhush|sqlite", text)
    assert papers[0] != papers[1] and not strangers and not complaints
    chosen = Counter(row.viewer for row in Answers.open(folder / "phone.sqlite").rows())
    assert sorted(chosen.values()) == [7, 7]
    numbers = [row.answer.chosen for row in Answers.open(folder / "phone.sqlite").rows()]
    assert numbers == 2 * [1, 2, 2, 1, 1, 2, 1]
