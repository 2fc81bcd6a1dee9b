"""The controls of each tab, by the names of `swapae.apps.page.settings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import torch

from swapae.apps.page.cutter import EDGES, cutter
from swapae.apps.page.dragger import dragger
from swapae.apps.page.examples import Showcase, paths_of
from swapae.apps.page.filming import BUTTONS, FORMATS, MAX_FRAMES
from swapae.apps.page.painter import fine_grid, painter
from swapae.apps.page.parts import IMAGE_TYPES, PICK, Choice, Files, Listed, Strength, presets_html, quiet
from swapae.apps.page.restyling import MAX_VIDEO_FRAMES
from swapae.apps.page.settings import AXES, FURTHER, MAX_DIRECTIONS, ROLES, SETTINGS
from swapae.apps.page.studio import Studio
from swapae.apps.page.style import on
from swapae.editing.validation import Mask

INTRODUCTIONS = {
    "swap": ("Swap", "Move the strength, and drag over the picture to compare."),
    "mix": ("Mix", "Blend the looks of several photographs; there is always one more empty place."),
    "regions": ("Regions", "Paint where each look goes, or what stays as it is."),
    "directions": ("Directions", "Warmer, brighter, more like a tulip: sliders along what the model knows."),
    "structure": ("Structure", "Pull points of the photograph, copy a piece, or lay photographs side by side."),
    "motion": ("Motion", "A film of the edit, along a direction, or through the looks of all photographs."),
    "model": ("Your model", "Which model makes the pictures."),
    "about": ("About", "What this is, its limits and its licence."),
}
# What the buttons "Try" set; a tab's other settings go back to their defaults.
TAB_PRESETS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "swap": [
        ("Halfway", {"amount": 0.5}),
        ("Colours only", {"keep": "luminance"}),
        ("Fine detail only", {"coarse": 0.0, "middle": 0.0}),
        ("All of it", {}),
    ],
    "mix": [
        ("Half photo 3", {"third": 0.5}),
        ("Three looks at once", {"third": 0.33, "fourth": 0.33}),
        ("Photo 4 alone", {"fourth": 1.0}),
        ("No mix", {}),
    ],
    "regions": [
        ("Left and right", {"paint": "halves"}),
        ("Keep the middle", {"paint": "middle"}),
        ("Nothing painted", {}),
    ],
    "directions": [
        ("Halfway to the other kind", {"translation": 0.5}),
        ("All the way", {"translation": 1.0}),
        ("Not at all", {}),
    ],
    "structure": [
        ("Wider", {"wider": 60.0}),
        ("Panorama", {"join": ["third", "fourth"]}),
        ("A smaller one beside it", {"right": 30.0, "scale": 70.0}),
        ("As it was", {}),
    ],
}
OF_TAB: dict[str, tuple[str, ...]] = {
    "swap": ("amount", "path", "coarse", "middle", "fine", "keep"),
    "mix": FURTHER,
    "regions": ("paint", "feather"),
    "directions": ("gains", "axes", "orthogonal", "translation"),
    "structure": (
        *("points", "edges", "still"),
        *("shape", "left", "top", "width", "height", "right", "down", "scale", "flip", "leave"),
        *("wider", "taller", "join", "seam", "shared"),
    ),
}
ABOUT = """
**swapae** takes a photograph apart into its *structure* (where things are) and its *texture* (what they look like), and
puts together the structure of one with the texture of another: Park, Zhu, Wang, Lu, Shechtman, Efros, Zhang, "Swapping
Autoencoder for Deep Image Manipulation", NeurIPS 2020, arXiv:2007.00653.

**Limits.** The small models that come with it know flowers and building fronts; anything else comes out rough. They
work at the size they were trained at; larger downloads are made from your photograph when you ask for them. A network
makes the results: they are evidence of nothing. Every PNG says so in its metadata, with the model and the recipe.

**Your photographs** stay on the machine that serves this page. What it holds of them in memory goes when you close the
page, their files within about two hours. Your own browser keeps them for as long, so that you can go on after an
interruption.

**Programs** can do all of this as well: see "API" at the foot of the page. A recipe makes the same picture again, here
or on the command line.

**Licence.** Code and model: Apache-2.0. The example photographs are by the people named below, CC BY 2.0 or CC0.
"""


@dataclass
class Controls:
    """The components of all tabs.

    Attributes:
        thumbnails: what each tab's presets begin with, in the order of TAB_PRESETS.
        shown: the examples that the page opens with.
        named: by setting.
        gains, axes: sliders of named directions and of principal axes.
        strips: what each axis does, in pictures.
        presets: by tab.
        others: those of one tab alone.
    """

    thumbnails: Sequence[str]
    shown: Showcase
    named: dict[str, Any] = field(default_factory=dict)
    gains: list[gr.Slider] = field(default_factory=list)
    axes: list[gr.Slider] = field(default_factory=list)
    strips: list[gr.HTML] = field(default_factory=list)
    presets: dict[str, gr.HTML] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)

    def slider(self, name: str, low: float, high: float, step: float, info: str = "") -> None:
        """Add a slider for a setting, at its default."""
        setting = SETTINGS[name]
        place = f"share-{name}" if name in FURTHER else name  # the photographs' slots have these names
        self.named[name] = Strength(
            low, high, setting.default, step=step, label=setting.label, info=info or None, elem_id=place
        )

    def choice(self, name: str, options: list[tuple[str, str]]) -> None:
        """Add a choice for a setting."""
        self.named[name] = Choice(options, value=SETTINGS[name].default, label=SETTINGS[name].label, elem_id=name)

    def tick(self, name: str) -> None:
        """Add a switch for a setting."""
        self.named[name] = gr.Checkbox(SETTINGS[name].default, label=SETTINGS[name].label, elem_id=name)

    def tries(self, tab: str) -> None:
        """Add a tab's presets."""
        text = self.thumbnails[list(TAB_PRESETS).index(tab)] or presets_html(words_of(tab), ())
        self.presets[tab] = gr.HTML(text, js_on_load=PICK, apply_default_css=False, elem_id=f"try-{tab}")


def words_of(tab: str) -> list[str]:
    """What a tab's presets are called."""
    return [words for words, _ in TAB_PRESETS[tab]]


def all_controls(studio: Studio, models: list[str], thumbnails: Sequence[str], shown: Showcase) -> Controls:
    """The controls of every tab, each in a column of its own; to be called inside the controls' column."""
    controls = Controls(thumbnails, shown)
    for tab, add in (
        ("swap", swap),
        ("mix", mix),
        ("regions", regions),
        ("directions", directions),
        ("structure", structure),
        ("motion", motion),
    ):
        with gr.Column(elem_classes=on(tab), elem_id=f"on-{tab}"):
            add(controls, studio)
    with gr.Column(elem_classes=on("model"), elem_id="on-model"):
        model(controls, models)
    with gr.Column(elem_classes=on("about"), elem_id="on-about"):
        gr.Markdown(ABOUT)
    return controls


def swap(controls: Controls, studio: Studio) -> None:
    """Of the tab Swap."""
    controls.slider("amount", 0, 1, 0.01, "0: its own look, 1: that of photograph 2")
    if studio.refined.possible:
        controls.slider(
            "fidelity", 0, 1, 0.05, "0: at once, as the model sees it; 1: nearest, takes about half a minute"
        )
    else:
        controls.named["fidelity"] = gr.Number(0, visible=False, label=SETTINGS["fidelity"].label)
    controls.tries("swap")
    controls.choice("keep", [("Nothing", "nothing"), ("Light and dark", "luminance"), ("Colours", "colour")])
    with gr.Accordion("More", open=False):
        controls.slider("coarse", 0, 1, 0.01, "how much of the strength goes to each")
        controls.slider("middle", 0, 1, 0.01)
        controls.slider("fine", 0, 1, 0.01)
        controls.choice("path", [("Straight", "linear"), ("Along an arc", "spherical")])


def mix(controls: Controls, studio: Studio) -> None:
    """Of the tab Mix."""
    controls.tries("mix")
    for role in FURTHER:
        controls.slider(role, 0, 1, 0.01, "0: not at all; what is left stays as on Swap" if role == FURTHER[0] else "")


def regions(controls: Controls, studio: Studio) -> None:
    """Of the tab Regions."""
    controls.others["painter"] = painter()
    controls.others["note"] = gr.HTML("", apply_default_css=False, elem_classes=["note"], elem_id="painter-problem")
    controls.slider("feather", 0, 8, 1, "how gently an edge fades; 0: sharp")
    controls.tries("regions")


def directions(controls: Controls, studio: Studio) -> None:
    """Of the tab Directions; sliders that the model has no direction for are hidden."""
    controls.others["directions"] = gr.HTML(about_directions(studio), apply_default_css=False, elem_id="no-directions")
    for number, options in enumerate(gain_sliders(studio)):
        controls.gains.append(Strength(-2, 2, 0, step=0.05, elem_id=f"gain-{number}", **options))
    with gr.Accordion(
        "Explore: numbered axes", open=False, visible=studio.directions is not None, elem_id="explore"
    ) as explore:
        gr.HTML(
            quiet("What differs most among photographs, largest first; 1 is a clear change."), apply_default_css=False
        )
        controls.others["exploring"] = gr.HTML("", apply_default_css=False, elem_id="exploring")
        for name, options in zip(AXES, axis_sliders(studio), strict=True):
            controls.strips.append(gr.HTML("", apply_default_css=False, elem_id=f"strip-{name}"))
            controls.axes.append(Strength(-3, 3, 0, step=0.05, elem_id=f"axis-{name}", **options))
        controls.tick("orthogonal")
    controls.others["explore"] = explore
    with gr.Accordion("From one kind of photographs to another", open=studio.directions is None):
        controls.slider("translation", -3, 3, 0.05, "0: as it was; 1: as much as the two kinds differ")
        controls.tries("directions")
        labels = {"from": "Photographs of the one kind", "to": "Photographs of the other kind"}
        for (name, label), indices in zip(labels.items(), controls.shown.kinds, strict=True):
            files = list(paths_of(indices))
            controls.others[name] = Files(
                files, label=label, file_count="multiple", file_types=IMAGE_TYPES, height=110, elem_id=name
            )


def structure(controls: Controls, studio: Studio) -> None:
    """Of the tab Structure."""
    with gr.Accordion("Drag points"):
        gr.HTML(quiet("Press on the photograph and pull. A point left in place holds it."), apply_default_css=False)
        controls.others["dragger"] = dragger()
        controls.tick("edges")
    controls.tries("structure")
    controls.slider("wider", 0, 100, 5, "% more, carried on beyond the border")
    controls.slider("taller", 0, 100, 5, "% more")
    controls.named["join"] = gr.CheckboxGroup(
        [(f"Photograph {number}", role) for number, role in enumerate(ROLES[1:], 2)],
        value=SETTINGS["join"].default,
        label=SETTINGS["join"].label,
        elem_id="join",
    )
    with gr.Accordion("Where they meet", open=False):
        controls.slider("seam", 0, 50, 1, "% of the photograph's width")
        controls.slider("shared", 0, 1, 0.01, "0: each keeps its own look, 1: all have that of the first")
    with gr.Accordion("Copy or move a piece", open=False):
        gr.HTML(quiet("Drag a box around it, then shift it:"), apply_default_css=False)
        controls.others["cutter"] = cutter()
        controls.others["cutter-note"] = gr.HTML("", apply_default_css=False, elem_classes=["note"])
        controls.slider("right", -100, 100, 1, "% of the picture; 0: as it was")
        controls.slider("down", -100, 100, 1, "% of the picture")
        controls.slider("scale", 25, 400, 5, "%")
        controls.tick("flip")
        controls.tick("leave")
        with gr.Accordion("The box in numbers", open=False):
            for name in EDGES:
                controls.slider(name, 0, 100, 1, "% of the picture")
    with gr.Accordion("Blend shapes", open=False):
        controls.slider("shape", 0, 1, 0.01, "of photographs of one size")


def motion(controls: Controls, studio: Studio) -> None:
    """Of the tab Motion."""
    others = controls.others
    options = [
        ("From the photograph to the result", "edit"),
        ("Through the looks of all photographs", "textures"),
        ("Along a direction, both ways", "direction"),
    ]
    others["kind"] = Choice(options, value="edit", label="Film", elem_id="film-kind")
    names = studio.direction_names
    with gr.Accordion("Direction", open=False):
        others["direction"] = gr.Dropdown(
            names, value=names[0] if names else "", label="Direction", allow_custom_value=True, elem_id="film-direction"
        )
        others["reach"] = Strength(0, 3, 1, step=0.05, label="How far", info="1 is a clear edit")
    others["frames"] = Strength(8, MAX_FRAMES, 32, step=1, label="Frames", info="in the whole film", elem_id="frames")
    others["rate"] = Strength(1, 30, 12, step=1, label="Frames per second")
    others["back"] = gr.Checkbox(True, label="There and back")
    others["format"] = Choice([(name.upper(), name) for name in FORMATS], value="webp", label="Format")
    others["make"] = gr.Button(BUTTONS["make"][0], variant="primary", elem_id="make-film")
    others["film-note"] = gr.HTML("", apply_default_css=False, elem_classes=["note"], elem_id="film-problem")
    others["cancel"] = gr.Button("Cancel", visible=False, elem_id="cancel-film")
    others["made"] = gr.Textbox("", visible="hidden", label="The film's name")
    with gr.Accordion("Restyle a video", open=False):
        gr.HTML(
            quiet(
                f"Every frame takes the look of photograph 2, as strongly as on Swap; up to {MAX_VIDEO_FRAMES} "
                "frames, with its sound."
            ),
            apply_default_css=False,
        )
        others["video"] = Files(None, label="Video", file_types=["video", ".gif"], height=110, elem_id="video-in")
        others["restyle"] = gr.Button(BUTTONS["restyle"][0], elem_id="restyle")


def model(controls: Controls, models: list[str]) -> None:
    """Of the tab Your model."""
    controls.others["model"] = Listed(models, value=models[0], label="Model", elem_id="model")
    gr.HTML(
        quiet("Whoever runs this page chooses which models it offers."),
        apply_default_css=False,
    )
    controls.others["device"] = gr.HTML("", apply_default_css=False, elem_id="device")
    controls.others["card"] = gr.Textbox(
        "", label="About the model", lines=16, max_lines=24, interactive=False, elem_id="card"
    )


def gain_sliders(studio: Studio) -> list[dict[str, Any]]:
    """Label, words and visibility of every slider of a direction."""
    named = list(studio.directions.named.items())[:MAX_DIRECTIONS] if studio.directions else []
    options = [
        {"label": name.capitalize(), "info": f"{direction.less} ... {direction.more}", "visible": True}
        for name, direction in named
    ]
    empty = [{"label": f"Direction {number + 1}", "info": None, "visible": False} for number in range(MAX_DIRECTIONS)]
    return options + empty[len(options) :]


def axis_sliders(studio: Studio) -> list[dict[str, Any]]:
    """Label and visibility of every slider of an axis."""
    there = studio.direction_names
    kinds = {"texture": "Texture", "structure": "Structure, every place alike", "layout": "Structure as a whole"}
    return [
        {"label": f"{kinds[name.rstrip('0123456789')]}: axis {name[-1]}", "visible": name in there} for name in AXES
    ]


def about_directions(studio: Studio) -> str:
    """What to say above the sliders of directions."""
    if studio.directions is None:
        return quiet(
            "This model has no named directions yet. The difference between two kinds of photographs works with every "
            "model:"
        )
    return quiet(
        '0: as it was, 1: a clear edit. They stay inside what you paint on Regions with "Directions only here".'
    )


def preset(tab: str, number: int, grid: tuple[int, int]) -> dict[str, Any]:
    """The settings that a preset makes of a tab's, for a photograph of a grid; IndexError if there is none."""
    values = {name: SETTINGS[name].default for name in OF_TAB[tab]}
    if not 0 <= number < len(TAB_PRESETS[tab]):
        raise IndexError(number)
    values |= TAB_PRESETS[tab][number][1]
    if values.get("paint") in ("halves", "middle"):
        values["paint"] = painted_preset(values["paint"], grid)
    return values


def painted_preset(name: str, grid: tuple[int, int]) -> dict[str, Any]:
    """Plain masks: the third photograph to the left and the fourth to the right, or the middle kept."""
    rows, columns = fine_grid(grid)
    left, middle = torch.zeros(2, 1, 1, rows, columns)
    left[..., : columns // 2] = 1
    middle[..., rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4] = 1
    masks = {"third": left, "fourth": 1 - left} if name == "halves" else {"protect": middle}
    return {layer: Mask.from_tensor(mask).to_dict() for layer, mask in masks.items()}
