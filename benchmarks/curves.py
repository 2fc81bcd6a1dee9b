"""Draw the curves of training runs from their log.jsonl, one colour a run.

python benchmarks/curves.py RUN [RUN ...] --output curves.png [--names LABEL ...]

Needs matplotlib (pip install matplotlib).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt

# A panel each: its title and its terms, the first drawn solid, the others dashed and dotted.
PANELS = {
    "evaluation: score": ["eval_score"],
    "evaluation: LPIPS of reconstructions": ["eval_lpips"],
    "evaluation: structure, texture (dashed)": ["eval_structure", "eval_texture"],
    "L1 of reconstructions": ["g_l1"],
    "image discriminator: real, hybrid x 2 (dashed)": ["d_real", "d_hybrid"],
    "patch discriminator: real, hybrid (dashed)": ["d_patch_real", "d_patch_hybrid"],
    "generator: hybrid, patch (dashed)": ["g_hybrid", "g_patch"],
    "mean sign of real logits": ["real_sign"],
}
SCALE = {"d_hybrid": 2.0}  # undoes the weight of one half, so that 0.69 is "cannot tell" everywhere
SMOOTHING = 5  # logged values in a mean


def smoothed(values: list[float]) -> list[float]:
    """Mean of each value and up to `SMOOTHING` - 1 before it."""
    windows = [values[max(0, i + 1 - SMOOTHING) : i + 1] for i in range(len(values))]
    return [sum(window) / len(window) for window in windows]


def main() -> None:
    """Draw all panels into one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--names", nargs="+", help="as the legend calls the runs")
    arguments = parser.parse_args()
    names = arguments.names or [run.name for run in arguments.runs]
    figure, axes = plt.subplots(2, 4, figsize=(16, 6.4), constrained_layout=True)
    for axis, (title, terms) in zip(axes.flat, PANELS.items(), strict=True):
        for number, run in enumerate(arguments.runs):
            lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
            for term, style in zip(terms, ("-", "--"), strict=False):
                found = [(line["images"], line[term] * SCALE.get(term, 1.0)) for line in lines if term in line]
                if not found:
                    continue
                images, values = zip(*found, strict=True)
                curve = list(values) if term.startswith("eval") else smoothed(list(values))
                axis.plot(images, curve, style, color=f"C{number}", label=names[number] if style == "-" else None)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    axes.flat[0].legend(fontsize=8)
    figure.supxlabel("images seen", fontsize=9)
    figure.savefig(arguments.output, dpi=80)


if __name__ == "__main__":
    main()
