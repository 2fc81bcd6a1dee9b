"""The tab Train: where photographs are dropped, what is shown of a training, and its controls."""

from __future__ import annotations

from typing import Any

import gradio as gr

from swapae.apps.page.models import Models
from swapae.apps.page.parts import SAY, Strength
from swapae.apps.page.results import Results
from swapae.apps.page.style import on
from swapae.apps.page.training.handlers import TrainingHandlers
from swapae.apps.page.training.intake import MOST_BYTES
from swapae.apps.page.training.job import Trainings
from swapae.apps.page.training.told import IDLE

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = PRIVATE | {"queue": False}
SLOW: dict[str, Any] = PRIVATE | {"concurrency_id": "training", "concurrency_limit": 2}
# The browser's key, by which its training is known again; only its digest is kept elsewhere.
KEY = """
() => {
  let key = localStorage.getItem('swapae trainer');
  if (!key) {
    key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    localStorage.setItem('swapae trainer', key);
  }
  return key;
}
"""
DROP = """
<div class="slot-head"><span>Photographs to train on</span></div>
<label class="drop">
  <input type="file" multiple accept="image/*,.heic,.heif,.hif,.avif,.jxl,.zip"
    aria-label="Choose the photographs to train on">
  <span class="ask">Drop photographs or a .zip <wbr>or <u>choose them</u></span>
</label>
<div class="row"><span class="count"></span><button type="button" class="clear" hidden>Remove all</button></div>
<div class="left-out"></div><div class="note"></div>
"""
# A file is sent in pieces, since the page takes none that is larger than a photograph.
DROPPING = """
const frame = element.querySelector('.drop'), input = frame.querySelector('input'), PIECE = 8 * 2 ** 20;
const note = element.querySelector('.note'), clear = element.querySelector('.clear');
const count = element.querySelector('.count');
const send = async (file) => {
  if (file.size <= PIECE) return [(await upload(file)).path];
  const pieces = [];
  for (let start = 0; start < file.size; start += PIECE)
    pieces.push((await upload(new File([file.slice(start, start + PIECE)], 'piece'))).path);
  return pieces;
};
// Until the server has looked at them: Gradio passes on nothing that is sent meanwhile.
let sending = false;
const sends = (on) => {
  sending = on;
  element.classList.toggle('sending', on);
};
const take = async (chosen) => {
  const files = [...chosen];
  if (!files.length) return;
  if (sending) return say('The photographs from before are still on their way: drop these again once they are here.');
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > props.most) return say(`These have over ${Math.round(props.most / 2 ** 30)} GB: give fewer.`);
  say('');
  sends(true);
  try {
    const sent = [];
    for (const [number, file] of files.entries()) {
      count.textContent = `Sending ${number + 1} of ${files.length} ...`;
      sent.push({name: file.name, pieces: await send(file)});
    }
    count.textContent = 'Looking at them ...';
    trigger('upload', {files: JSON.stringify(sent)});
  } catch {
    count.textContent = '';
    say('The photographs could not be sent: try again in a moment.');
    sends(false);
  }
};
input.addEventListener('change', () => { take(input.files); input.value = ''; });
frame.addEventListener('dragover', (event) => { event.preventDefault(); frame.classList.add('over'); });
frame.addEventListener('dragleave', () => frame.classList.remove('over'));
frame.addEventListener('drop', (event) => {
  event.preventDefault();
  frame.classList.remove('over');
  take(event.dataTransfer.files);
});
clear.addEventListener('click', () => { trigger('clear', {}); input.focus(); });
let words = '';
watch('value', () => {
  const {problem = '', details = ''} = props.value || {};
  if (problem || props.value?.words) sends(false);
  say(problem);
  // What was wrong with the newest leaves those from before.
  if (!problem) words = props.value?.words || '';
  count.textContent = words;
  clear.hidden = !words;
  if (!problem) element.querySelector('.left-out').innerHTML = details;
});
"""
# Asks how it is while the tab is looked at: often while a training is on, else now and then.
ASKING = """
let asked = Date.now();
setInterval(() => {
  const tab = document.getElementById('page')?.dataset.tab;
  const looked = document.visibilityState === 'visible' && (tab === 'train' || tab === 'model');
  const wait = element.querySelector('[data-on]') ? 4000 : 20000;
  if (!looked || Date.now() - asked < wait) return;
  asked = Date.now();
  trigger('ask', {});
}, 500);
"""
SAVE = "() => setTimeout(() => document.querySelector('#trained a')?.click(), 300)"


class TrainingTab:
    """The components of the tab, connected to its handlers; each method adds a column's to the page being built."""

    def __init__(self, trainings: Trainings, models: Models, results: Results) -> None:
        self.handlers = TrainingHandlers(trainings, models, results)

    def inputs(self) -> None:
        """Where photographs are dropped."""
        with gr.Column(elem_classes=on("train"), elem_id="to-train-on"):
            self.drop = gr.HTML(
                None,
                html_template=DROP,
                js_on_load=SAY + DROPPING,
                apply_default_css=False,
                elem_id="train-drop",
                most=MOST_BYTES,
            )

    def results(self) -> None:
        """What is shown of a training."""
        with gr.Column(elem_classes=on("train"), elem_id="training"):
            self.status = gr.HTML(
                f"<div>{IDLE}</div>", js_on_load=ASKING, apply_default_css=False, elem_id="train-status"
            )
            self.grid = gr.HTML("", apply_default_css=False, elem_id="train-grid")
            self.chart = gr.HTML("", apply_default_css=False, elem_id="train-course")

    def controls(self) -> None:
        """Name, minutes, buttons, and what is done with the model."""
        with gr.Column(elem_classes=on("train"), elem_id="on-train"):
            self.stop = gr.Button("Stop, and keep the best", visible=False, elem_id="stop-training")
            self.go_on = gr.Button("Go on with it", visible=False, elem_id="go-on-training")
            with gr.Column(visible=False, elem_id="share-model") as self.share:
                self.download = gr.Button("Download the model", elem_id="download-model")
                self.file = gr.File(label="The model", elem_id="trained", interactive=False)
                with gr.Accordion("Push it to the Hugging Face Hub", open=False):
                    self.repo = gr.Textbox("", label="Repository", placeholder="owner/name", elem_id="push-repo")
                    self.private = gr.Checkbox(True, label="Private", elem_id="push-private")
                    self.token = gr.Textbox(
                        "",
                        label="Your token",
                        info="one that may write; it is used once and kept nowhere",
                        type="password",
                        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                        elem_id="push-token",
                    )
                    self.push = gr.Button("Push", elem_id="push-model")
                    self.pushed = gr.HTML("", apply_default_css=False, elem_classes=["note"], elem_id="push-note")
            self.name = gr.Textbox(
                "", label="Name of the model", placeholder="tulips", max_length=60, elem_id="own-name"
            )
            self.minutes = Strength(
                5, 240, 30, step=5, label="Minutes", info="colours follow first, materials later", elem_id="own-minutes"
            )
            self.start = gr.Button("Start", variant="primary", elem_id="start-training")
            self.note = gr.HTML("", apply_default_css=False, elem_classes=["note"], elem_id="train-problem")

    def connect(self, demo: gr.Blocks, model: gr.Dropdown) -> None:
        """Connect all of them; `model` is where a model is chosen."""
        handlers = self.handlers
        key = gr.Textbox("", visible=False, label="The browser's key")
        seen = gr.Textbox("", visible=False, label="What the browser shows of the training")
        dropped = gr.Textbox("", visible=False, label="Where the photographs are")
        shown = [self.status, self.grid, self.chart, self.start, self.stop, self.go_on, self.share, model, seen]
        who = [key, seen]
        demo.load(None, None, key, js=KEY, api_visibility="private").then(handlers.told, who, shown, **AT_ONCE)
        self.status.ask(handlers.told, who, shown, **AT_ONCE)
        took = self.drop.upload(handlers.took, dropped, [self.drop, dropped], **SLOW)
        took.failure(handlers.not_taken, None, self.drop, **AT_ONCE)
        self.drop.clear(handlers.cleared, dropped, [self.drop, dropped], **AT_ONCE)
        chosen = [*who, self.name, self.minutes, dropped]
        self.start.click(handlers.began, chosen, [self.drop, dropped, self.note, *shown], **SLOW)
        self.stop.click(handlers.stopped, who, [self.note, *shown], **SLOW)
        self.go_on.click(handlers.went_on, who, [self.note, *shown], **SLOW)
        self.download.click(handlers.packed, key, [self.file, self.note], **SLOW).success(
            None, None, None, js=SAVE, api_visibility="private"
        )
        wishes = [key, self.repo, self.token, self.private]
        self.push.click(handlers.pushed, wishes, [self.token, self.pushed], **SLOW)
