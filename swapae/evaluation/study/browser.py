"""What runs in a viewer's browser: its screens, its style and its script, which shows pictures for exact times."""

from __future__ import annotations

from collections.abc import Mapping

from swapae.evaluation.study.trials import Kind

CSS = """
.gradio-container, .gradio-container .main { max-width: none !important; padding: 0 !important; }
.html-container { padding: 0 !important; }
footer { display: none !important; }
#study { color: var(--body-text-color); font-size: 1.05rem; line-height: 1.55; }
#study .screen { padding: clamp(20px, 9vh, 110px) 20px 20px; max-width: 660px; margin: 0 auto; }
#study .trial { max-width: none; padding: clamp(14px, 4vh, 50px) 12px 12px; }
#study [hidden] { display: none !important; }
#study h1 { font-size: 1.6rem; font-weight: 700; margin: 0 0 12px; line-height: 1.25; }
#study p { margin: 0 0 12px; }
#study ul { margin: 0 0 16px; padding-left: 1.3em; list-style: disc; }
#study li { margin: 0 0 6px; }
#study .quiet { opacity: 0.75; font-size: 0.95rem; }
#study button {
  font: inherit; font-weight: 600; padding: 12px 26px; min-height: 48px; min-width: 120px; cursor: pointer;
  border-radius: 10px; border: 1px solid var(--button-primary-border-color, transparent);
  color: var(--button-primary-text-color); background: var(--button-primary-background-fill);
  touch-action: manipulation;
}
#study button:hover { background: var(--button-primary-background-fill-hover); }
#study button:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 3px; }
#study button kbd { font: inherit; font-weight: 400; opacity: 0.8; margin-left: 8px; }
#study .top { display: flex; gap: 14px; align-items: center; margin: 0 auto 12px; max-width: 640px; }
#study progress { flex: 1; height: 8px; appearance: none; border: 0; border-radius: 4px; overflow: hidden; }
#study progress, #study progress::-webkit-progress-bar { background: var(--border-color-primary); }
#study progress::-webkit-progress-value { background: var(--color-accent); }
#study progress::-moz-progress-bar { background: var(--color-accent); }
#study .count { font-size: 0.9rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
#study .stage { display: flex; flex-wrap: wrap; gap: 14px; justify-content: center; align-items: start; }
#study figure { margin: 0; text-align: center; font-size: 0.9rem; }
#study figcaption { min-height: 1.6em; }
#study .reference { margin-right: 24px; }
/* A picture's own pixels where the screen has room; always square, and as large as the one it is compared with. */
#study canvas { display: block; width: min(var(--side), 90vw, 60vh); background: #808080; border-radius: 4px; }
#study .beside canvas { width: min(var(--side), 29vw, 60vh); }
#study .ask { text-align: center; margin-top: 14px; min-height: 150px; }
#study .question { font-size: 1.15rem; font-weight: 600; max-width: 640px; margin: 0 auto 14px; }
#study .answers { display: flex; gap: 16px; justify-content: center; }
#study .problem { text-align: center; color: #b91c1c; font-weight: 600; padding: 8px; }
.dark #study .problem { color: #fca5a5; }
@media (max-width: 640px) {
  #study .answers button { flex: 1; padding: 16px 8px; }
  #study button kbd { display: none; }
  #study .stage { gap: 6px 10px; }
  #study .left canvas, #study .right canvas { width: min(var(--side), 50vw - 20px, 30vh); }
  #study .reference { flex: 1 0 100%; margin: 0; }
  #study .reference canvas { margin: 0 auto; width: min(var(--side), 70vw, 30vh); }
  #study .ask { margin-top: 8px; }
}
@media (max-height: 480px) {
  #study .trial { padding-top: 6px; }
  #study .top, #study .question { margin-bottom: 6px; }
  #study .ask { margin-top: 4px; min-height: 0; }
  #study canvas { width: min(var(--side), 90vw, 50vh); }
  #study .beside canvas { width: min(var(--side), 29vw, 42vh); }
}
"""

INTRODUCTIONS: dict[Kind, str] = {
    "real": """<h1>Which one is the fake?</h1>
<p>You see two pictures, one after the other, for {seconds} each: a photograph, and a picture made by a computer.
Then say <b>which one was the fake</b>, the first or the second. If you cannot tell, guess.</p>
<p>Look at the cross in the middle before each picture.
<span class="beginning">First comes one for practice.</span></p>""",
    "style": """<h1>Which is nearer in style?</h1>
<p>From now on you see three pictures, for as long as you like: a reference, and two others. Say which of the two has
<b>the style of the reference</b>: its materials, colours and light. What is where does not matter.</p>""",
    "content": """<h1>Which keeps the content better?</h1>
<p>The last kind of question: which of two pictures keeps <b>the content of the reference</b> better, its layout and
shapes? Colours and materials do not matter.</p>""",
}
QUESTIONS: dict[Kind, str] = {
    "real": "Which one was the fake?",
    "style": "Which is nearer in style (materials, colours, light) to the reference?",
    "content": "Which keeps the content (layout, shapes) of the reference better?",
}
ANSWERS: dict[Kind, tuple[str, str]] = {
    "real": ("First", "Second"),
    "style": ("Left", "Right"),
    "content": ("Left", "Right"),
}


def screens(size: int, seconds: float, counts: Mapping[Kind, int]) -> str:
    """The page's HTML.

    Args:
        size: pixels of a side of every picture.
        seconds: for which one is shown.
        counts: trials of each kind that is asked for, checks among them.
    """
    # Two pictures, a pause before each of half the time, and two seconds to answer; a question takes five seconds.
    takes = counts["real"] * (3 * seconds + 2) + 5 * sum(count for kind, count in counts.items() if kind != "real")
    minutes = max(1, round(takes / 60))
    more = "<li>Then come questions about three pictures at a time, without a time limit.</li>"
    introductions = "".join(
        f'<div data-kind="{kind}" hidden>{text.format(seconds=in_words(seconds))}</div>'
        for kind, text in INTRODUCTIONS.items()
        if kind in counts
    )
    canvas = f'<canvas width="{size}" height="{size}" style="--side: {size}px"></canvas>'
    figures = "".join(
        f'<figure class="{name}" hidden>{canvas}<figcaption>{caption}</figcaption></figure>'
        for name, caption in (("reference", "Reference"), ("left", "Left"), ("right", "Right"))
    )
    return f"""<section class="screen welcome">
<h1>Real or made?</h1>
<p>Thank you for taking part in this study. It asks how pictures made by a computer look to people.</p>
<ul><li>You see two pictures briefly, one after the other, and say which one is not a photograph.</li>
{more if len(counts) > 1 else ""}
<li>It takes about {minutes} minute{"s" if minutes > 1 else ""}. You can stop at any time by closing the page, and go on
later in the same browser.</li>
<li>Your answers are stored under a random number, without your name, address or anything else about you. Your
browser remembers that number.</li></ul>
<p class="quiet">Keys: 1 and 2, or the left and right arrows, answer; space or Enter goes on.</p>
<button data-do="on" disabled>Begin</button></section>
<section class="screen introduction" hidden>{introductions}<button data-do="on">Go on</button></section>
<section class="screen trial" hidden>
<div class="top"><progress max="1" value="0" aria-label="Progress"></progress><span class="count"></span></div>
<div class="stage"><figure class="alone" hidden>{canvas}</figure>{figures}</div>
<div class="ask"><div class="asking" hidden><p class="question" role="status"></p><div class="answers">
<button data-answer="1"></button><button data-answer="2"></button></div></div></div></section>
<section class="screen feedback" hidden><h1></h1><p></p><button data-do="on">Go on</button></section>
<section class="screen thanks" hidden><h1>Thank you!</h1>
<p>That was all. Your answers are stored; you can close the page.</p></section>
<p class="problem" role="alert" hidden></p>"""


def in_words(seconds: float) -> str:
    """A time as a part of a sentence."""
    return "one second" if seconds == 1 else f"{seconds:g} seconds"


SCRIPT = """
const find = (selector) => element.querySelector(selector);
const {remembered_as: name, seconds, questions, answers} = props;
const memory = (() => {  // what this browser remembers: a random number, and which trial was shown how often
  try {
    localStorage.setItem(name, localStorage.getItem(name) ?? '{}');
    return localStorage;
  } catch {
    const kept = {};
    return {getItem: (key) => kept[key] ?? null, setItem: (key, value) => { kept[key] = value; }};
  }
})();
const remembered = () => { try { return JSON.parse(memory.getItem(name)) || {}; } catch { return {}; } };
const remember = (values) => memory.setItem(name, JSON.stringify({...remembered(), ...values}));
if (!/^[0-9a-f]{32}$/.test(remembered().viewer)) {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  remember({viewer: bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(''), number: -1, showings: 0});
}
const viewer = remembered().viewer;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const problem = (text) => { const line = find('.problem'); line.textContent = text; line.hidden = !text; };
const turn = async (answer) => {
  for (;;) {
    try {
      const reply = await server.turn({viewer, answer});
      if (reply.problem) { problem(reply.problem); return new Promise(() => {}); }
      if (!reply.busy) { problem(''); return reply; }
    } catch { /* no connection, or the server is being started again */ }
    problem('No connection to the study. Your answers are kept; trying again ...');
    await pause(1000);
  }
};
const show = (screen) => {
  for (const section of element.querySelectorAll('.screen')) section.hidden = !section.classList.contains(screen);
  window.scrollTo(0, 0);
};

// One press at a time: of a button, or of the keys that stand for it.
let waiting = null;
const pressed = (selector) => new Promise((resolve) => { waiting = {selector, resolve}; });
const press = (button) => {
  if (!waiting || button.disabled || !button.matches(waiting.selector) || !button.offsetParent) return;
  const {resolve} = waiting;
  waiting = null;
  resolve(button);
};
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) press(button);
});
const KEYS = {'1': '[data-answer="1"]', ArrowLeft: '[data-answer="1"]', '2': '[data-answer="2"]',
              ArrowRight: '[data-answer="2"]', ' ': '[data-do=on]', Enter: '[data-do=on]'};
const typed = (event) => {
  if (!element.isConnected) return document.removeEventListener('keydown', typed);
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();  // or space would press the button that was clicked last
  for (const button of element.querySelectorAll(KEYS[event.key])) press(button);
};
document.addEventListener('keydown', typed);

const bitmap = async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], {type: 'image/png'}));
};
const wipe = (canvas, cross) => {
  const pen = canvas.getContext('2d'), middle = canvas.width / 2, arm = Math.max(3, canvas.width / 24);
  pen.fillStyle = '#808080';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  if (!cross) return;
  pen.strokeStyle = '#ffffff';
  pen.lineWidth = Math.max(1, canvas.width / 96);
  pen.beginPath();
  pen.moveTo(middle - arm, middle); pen.lineTo(middle + arm, middle);
  pen.moveTo(middle, middle - arm); pen.lineTo(middle, middle + arm);
  pen.stroke();
};
// Draws before one frame is shown and again before the first one that is nearest to the time asked for (a frame is at
// least 8 ms); resolves to the milliseconds between the two.
const forTime = (milliseconds, before, after) => new Promise((resolve) => {
  requestAnimationFrame((start) => {
    before();
    const step = (now) => {
      if (now - start < milliseconds - 8) return requestAnimationFrame(step);
      after();
      resolve(now - start);
    };
    requestAnimationFrame(step);
  });
});
const ask = async (kind) => {
  find('.question').textContent = questions[kind];
  element.querySelectorAll('[data-answer]').forEach((button, place) => {
    button.innerHTML = `${answers[kind][place]}<kbd>${place + 1}</kbd>`;
  });
  find('.asking').hidden = false;
  const button = await pressed('[data-answer]');
  find('.asking').hidden = true;
  return Number(button.dataset.answer);
};
const ONE_BY_ONE = ['.alone'], BESIDE = ['.left', '.right', '.reference'];
const trial = async ({number, kind, pictures}) => {
  const decoded = await Promise.all(pictures.map(bitmap)), together = kind !== 'real';
  const canvases = (together ? BESIDE : ONE_BY_ONE).map((place) => find(place + ' canvas'));
  canvases.forEach((canvas) => wipe(canvas, !together));
  for (const place of ONE_BY_ONE) find(place).hidden = together;
  for (const place of BESIDE) find(place).hidden = !together;
  find('.stage').classList.toggle('beside', together);
  show('trial');
  const now = remembered(), showings = now.number === number ? now.showings + 1 : 1;
  let exposures = null;
  if (together) {
    remember({number, showings});
    canvases.forEach((canvas, place) => canvas.getContext('2d').drawImage(decoded[place], 0, 0));
  } else {
    exposures = [];
    const canvas = canvases[0];
    for (const picture of decoded) {
      await forTime(500 * seconds, () => wipe(canvas, true), () => {});
      remember({number, showings});
      const draw = () => canvas.getContext('2d').drawImage(picture, 0, 0);
      exposures.push(await forTime(1000 * seconds, draw, () => wipe(canvas, false)));
    }
  }
  decoded.forEach((picture) => picture.close());
  const chosen = await ask(kind);
  canvases.forEach((canvas) => wipe(canvas, false));
  return {number, chosen, exposures, showings};
};
const counted = (reply) => {
  find('progress').value = reply.done / reply.total;
  find('.count').textContent = `${reply.done} of ${reply.total}`;
};

(async () => {
  let reply = await turn(null), kind = null;
  const begin = find('.welcome button');
  if (reply.done) begin.textContent = `Go on where you stopped, at ${reply.done + 1} of ${reply.total}`;
  if (reply.trial) {
    begin.disabled = false;
    await pressed('.welcome button');
  }
  while (reply.trial) {
    if (kind !== reply.trial.kind) {
      kind = reply.trial.kind;
      find('.beginning').hidden = reply.done > 0;
      for (const text of element.querySelectorAll('[data-kind]')) text.hidden = text.dataset.kind !== kind;
      show('introduction');
      await pressed('.introduction button');
    }
    counted(reply);
    reply = await turn(await trial(reply.trial));
    if (reply.practice) {
      find('.feedback h1').textContent = reply.practice.right ? 'That was right.' : 'That was the photograph.';
      find('.feedback p').textContent = 'The fake was the ' + (reply.practice.fake === 1 ? 'first' : 'second') +
        ' picture. From now on the pictures are harder to tell apart, and you are not told.';
      show('feedback');
      await pressed('.feedback button');
    }
  }
  show('thanks');
})();
"""
