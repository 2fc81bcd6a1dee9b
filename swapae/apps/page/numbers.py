"""Numbers typed into the boxes beside the sliders: what cannot be taken is said, not quietly made something else."""

# Gradio's sliders send what cannot be, and put the nearest number that is possible, or their default, without a word
# and without sending that. Here a number that cannot be is kept from them, and once the box is left they get the
# nearest that can, or for an emptied box the one of before, as if it had been typed.
CHECK_NUMBERS = """
() => {
  const box = (event) => event.target.matches?.('#controls input[type=number]') ? event.target : null;
  const frame = (input) => input.closest('.block');
  const slider = (input) => frame(input).querySelector('input[type=range]');
  const within = (input) => {
    const range = slider(input), low = Number(range?.min ?? input.min), high = Number(range?.max ?? input.max);
    return {low, high, nearest: Math.min(high, Math.max(low, Number(input.value)))};
  };
  const possible = (input) => input.value !== '' && within(input).nearest === Number(input.value);
  const say = (input, sentence) => {
    const block = frame(input);
    block.querySelector(':scope > .number-note')?.remove();
    if (!sentence) return;
    const note = Object.assign(document.createElement('p'), {className: 'number-note problem', textContent: sentence});
    note.setAttribute('role', 'status');
    block.append(note);
  };
  document.addEventListener('input', (event) => {
    const input = box(event);
    if (input || event.target.matches?.('#controls input[type=range]')) say(event.target, '');
    if (input && !possible(input)) event.stopImmediatePropagation();
  }, true);
  document.addEventListener('focusout', (event) => {
    const input = box(event);
    if (!input || possible(input)) return;
    const typed = input.value, {low, high, nearest} = within(input), before = slider(input)?.value ?? input.min;
    input.value = typed === '' ? before : String(nearest);
    input.dispatchEvent(new Event('input', {bubbles: true}));
    say(input, typed === ''
      ? `The box was empty: it is ${input.value} again.`
      : `${typed} is not from ${low} to ${high}: it is ${input.value} now.`);
  }, true);
}
"""
