"""Colours, dashes and markers that colour-blind readers tell apart (Okabe & Ito)."""

PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C6D31",
    "#7F3C8D",
    "#999999",
)
DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*Xhp"
