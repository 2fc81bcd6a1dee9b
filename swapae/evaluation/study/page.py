"""The page of a study: what viewers see, and the one function that their browsers call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import gradio as gr

from swapae.errors import UserError
from swapae.evaluation.study.answers import Answer, Answers
from swapae.evaluation.study.browser import ANSWERS, CSS, QUESTIONS, SCRIPT, screens
from swapae.evaluation.study.pictures import Pictures
from swapae.evaluation.study.trials import Kind, Trial

# Requests under way or waiting; a browser that is told that there are more asks again a moment later.
MAX_WAITING = 64
VIEWER = re.compile("[0-9a-f]{32}")
LONGEST = 3_600_000.0  # milliseconds of exposure, showings: what a browser could honestly say
# What `Blocks.launch` wants to know about the page since Gradio 6.
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Default(primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace"]),
    "css": CSS,
    "max_file_size": 1,  # byte: nothing is to be uploaded
    "state_session_capacity": 200,
    "footer_links": [],
}


class Page:
    """A study that is served.

    Args:
        answers: where answers go.
        pictures: that are shown.
    """

    def __init__(self, answers: Answers, pictures: Pictures) -> None:
        self.answers, self.pictures = answers, pictures
        self.plan = answers.definition.plan
        self.waiting = 0

    def turn(self, request: Any) -> dict[str, Any]:
        """Store an answer if there is one, and give the viewer's next trial.

        An answer to another trial than the next one is ignored, so that a browser may send it again whenever it did
        not hear back.

        Args:
            request: from a browser and so anything; rightly {"viewer": 32 hexadecimal digits, "answer": None or
                {"number": of the trial, "chosen": 1 or 2, "exposures": None or two in ms, "showings": 1 or more}}.

        Returns:
            {"total": trials, "done": of them, "trial": None or {"number", "kind", "pictures"}}, after the practice also
            "practice"; or {"problem": a sentence}. Nothing in it tells which picture is which.
        """
        viewer = request.get("viewer") if isinstance(request, dict) else None
        if not isinstance(viewer, str) or not VIEWER.fullmatch(viewer):
            return {"problem": "This browser was not understood: load the page again."}
        trials, reply = self.plan.order(viewer), {}
        sent = request.get("answer")
        if sent is not None:
            number, answer = understood(sent, trials)
            if answer is None:
                return {"problem": "The answer was not understood: load the page again."}
            self.answers.add(viewer, number, trials[number], answer)
            if trials[number].role == "practice":
                right = trials[number].right(answer.chosen)
                reply["practice"] = {"right": right, "fake": answer.chosen if right else 3 - answer.chosen}
        done = self.answers.count(viewer)
        trial = None
        if done < len(trials):
            try:
                shown = self.pictures.of(trials[done])
            except UserError:
                return {"problem": "A picture of this study has gone. Please tell those who run it."}
            trial = {"number": done, "kind": trials[done].kind, "pictures": shown}
        return {"total": len(trials), "done": done, "trial": trial, **reply}

    def build(self) -> gr.Blocks:
        """The page; launch it with `**LAUNCH`."""
        counts: dict[Kind, int] = {kind: sum(pair) for kind, pair in self.plan.counts().items()}
        definition = self.answers.definition
        with gr.Blocks(title="A study of pictures", analytics_enabled=False) as blocks:
            gr.HTML(
                screens(definition.size, definition.seconds, counts),
                js_on_load=SCRIPT,
                apply_default_css=False,
                elem_id="study",
                server_functions=[self.bounded()],
                # The same for every viewer, so that the browser finds what it remembers of just this study.
                remembered_as=f"swapae study {definition.digest[:16]}",
                seconds=definition.seconds,
                questions=QUESTIONS,
                answers=ANSWERS,
            )
        return blocks

    def bounded(self) -> Callable[[Any], Any]:
        """`turn` for browsers, in a thread, while not too many are waiting for one."""

        async def turn(request: Any) -> dict[str, Any]:
            if self.waiting >= MAX_WAITING:
                return {"busy": True}
            self.waiting += 1  # by the server's one loop alone
            try:
                return await anyio.to_thread.run_sync(self.turn, request)
            finally:
                self.waiting -= 1

        return turn


def understood(sent: Any, trials: list[Trial]) -> tuple[int, Answer | None]:
    """The number of a trial and an answer to it, None if a browser sent anything else."""
    if not isinstance(sent, dict):
        return 0, None
    number, chosen, exposures, showings = (sent.get(key) for key in ("number", "chosen", "exposures", "showings"))
    if not (type(number) is int and type(chosen) is int and type(showings) is int):
        return 0, None
    if not 0 <= number < len(trials) or chosen not in (1, 2) or not 1 <= showings <= LONGEST:
        return 0, None
    if trials[number].kind != "real":
        return number, Answer(chosen, None, showings)
    if not isinstance(exposures, list) or len(exposures) != 2:
        return 0, None
    if not all(type(time) in (int, float) and 0 <= time <= LONGEST for time in exposures):
        return 0, None
    return number, Answer(chosen, (float(exposures[0]), float(exposures[1])), showings)


def serve(answers: Answers, pictures: Pictures, host: str, port: int) -> None:
    """Serve the page until interrupted.

    Raises:
        OSError: that is not possible at this address.
    """
    Page(answers, pictures).build().launch(server_name=host, server_port=port, quiet=True, **LAUNCH)
