"""Data that the reader draws: a square of small buttons, and shapes to begin with."""

from collections.abc import Callable
from typing import Any

from gencourse.gan_lab.shapes import CELLS, SHAPES, centre_of
from gencourse.widgets.notebook import ipywidgets

OWN = "your own"  # what the list says once a cell was clicked
SIDE = "24px"


class Canvas:
    """Cells that are filled or emptied with a click, or with the space bar where the focus is.

    `changed()` is called after each change by hand. Nothing is built before it is first shown,
    since a hundred buttons take a while.
    """

    def __init__(self, cells: tuple[int, ...], changed: Callable[[], None]) -> None:
        self.cells, self.changed, self.quiet = cells, changed, False
        self.buttons: dict[int, Any] = {}
        self.box = ipywidgets.VBox(layout=ipywidgets.Layout(display="none"))

    def build(self) -> None:
        """Make the list of shapes and the buttons."""
        self.shape = ipywidgets.Dropdown(
            options=(*SHAPES, OWN),
            value=OWN,
            description="begin with",
            layout=ipywidgets.Layout(width="286px"),
            style={"description_width": "120px"},
        )
        self.shape.observe(lambda change: self.choose(), names="value")
        small = {"width": SIDE, "height": SIDE, "margin": "0px", "padding": "0px"}
        for cell in range(CELLS**2):
            x1, x2 = centre_of(cell)
            self.buttons[cell] = ipywidgets.ToggleButton(
                tooltip=f"a blob at x₁ = {x1:g}, x₂ = {x2:g}",
                layout=ipywidgets.Layout(**small),
            )
            self.buttons[cell].observe(lambda change: self.click(), names="value")
        rows = [
            ipywidgets.HBox([self.buttons[row * CELLS + column] for column in range(CELLS)])
            for row in reversed(range(CELLS))
        ]
        self.box.children = (self.shape, *rows)

    def show(self, cells: tuple[int, ...], visible: bool) -> None:
        """Fill these cells, without a word to anybody, and show or hide the canvas."""
        self.cells = cells
        if visible and not self.buttons:
            self.build()
        self.box.layout.display = "" if visible else "none"
        self.quiet = True
        try:
            for cell, button in self.buttons.items():
                button.value = cell in cells
            if self.buttons:
                same = (name for name, shape in SHAPES.items() if shape == tuple(cells))
                self.shape.value = next(same, OWN)
        finally:
            self.quiet = False

    def choose(self) -> None:
        """Fill the cells of the shape that the list names."""
        if not self.quiet and self.shape.value != OWN:
            self.show(SHAPES[self.shape.value], visible=True)
            self.changed()

    def click(self) -> None:
        """Go by the buttons."""
        if not self.quiet:
            filled = tuple(cell for cell, button in self.buttons.items() if button.value)
            self.show(filled, visible=True)
            self.changed()
