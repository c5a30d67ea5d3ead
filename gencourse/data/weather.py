"""Records and sentences: four years of weather in Seattle, told in English, and read back to see
what a sentence says.
"""

import csv
import re
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.errors import InputError

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
SKIES = ("sun", "rain", "fog", "drizzle", "snow")
ADJECTIVES = {
    "sun": "sunny",
    "rain": "rainy",
    "fog": "foggy",
    "drizzle": "drizzly",
    "snow": "snowy",
}
TEMPLATES = (  # each names every field once
    (
        "A {adjective} day in {month}, between {low} and {high} degrees, with {rain} mm of water "
        "and wind at {wind} m/s."
    ),
    (
        "{month} brought {sky}: {rain} mm fell, the wind blew at {wind} m/s, and it was {high} "
        "degrees after a night of {low}."
    ),
    (
        "It was {adjective} in {month}; {high} degrees at most and {low} at least, {wind} m/s of "
        "wind, {rain} mm of water."
    ),
)


class Day(NamedTuple):
    """One day: month and sky as words; lowest and highest temperature in °C, rain or snow in mm,
    wind in m/s, all whole.
    """

    month: str
    sky: str
    low: int
    high: int
    rain: int
    wind: int


def weather() -> list[Day]:
    """The 1,461 days from 2012 to 2015, numbers rounded (gencourse/data/files/seattle-weather.md is
    the datasheet).
    """
    source = resources.files("gencourse.data") / "files" / "seattle-weather.csv"
    with source.open("r", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    numbers = ("temp_min", "temp_max", "precipitation", "wind")
    return [
        Day(
            MONTHS[int(row["date"][5:7]) - 1],
            row["weather"],
            *(round(float(row[name])) for name in numbers),
        )
        for row in rows
    ]


def record(day: Day) -> str:
    """The record as a line: "January rain 5 11 9 4=" for month, sky, low, high, rain, wind."""
    return " ".join(map(str, day)) + "="


def sentence(day: Day, template: int) -> str:
    """The day in English, by one of TEMPLATES."""
    if not 0 <= template < len(TEMPLATES):
        raise InputError(
            f"sentence: template should lie in 0..{len(TEMPLATES) - 1}, got {template}. Choose "
            "one of them."
        )
    return TEMPLATES[template].format(**day._asdict(), adjective=ADJECTIVES[day.sky])


def _pattern(template: str) -> re.Pattern:
    """A template as a pattern that reads its fields."""
    known = {
        "month": "|".join(MONTHS),
        "sky": "|".join(SKIES),
        "adjective": "|".join(ADJECTIVES.values()),
    }
    parts = re.split(r"\{(\w+)\}", template)
    fields = [f"(?P<{name}>{known.get(name, '0|-?[1-9][0-9]*')})" for name in parts[1::2]]
    return re.compile(
        "".join(a + b for a, b in zip(map(re.escape, parts[::2]), [*fields, ""], strict=True))
    )


PATTERNS = tuple(map(_pattern, TEMPLATES))


def parse_sentence(sentence: str) -> Day | None:
    """What a sentence says, None if it follows none of TEMPLATES from its first letter to its full
    stop.
    """
    for pattern in PATTERNS:
        if match := pattern.fullmatch(sentence):
            found = match.groupdict()
            sky = found.get("sky") or next(
                sky for sky, adjective in ADJECTIVES.items() if adjective == found["adjective"]
            )
            return Day(
                found["month"], sky, *(int(found[name]) for name in ("low", "high", "rain", "wind"))
            )
    return None


def tokenize(line: str) -> list[str]:
    """A line cut into tokens: words with the blank before them, and single digits and signs.

    Joined, they are the line.
    """
    return re.findall(r" ?[A-Za-z/]+|.|\n", line)


class Vocabulary:
    """The tokens of all records and sentences.

    `end_id` is the number of the token that ends a sentence, a line break.
    """

    def __init__(self) -> None:
        lines = [record(day) for day in weather()] + [
            sentence(day, t) for day in weather() for t in range(len(TEMPLATES))
        ]
        self.tokens = sorted(
            {"\n", *map(str, range(10)), *(piece for line in lines for piece in tokenize(line))}
        )
        self.token_to_id = {token: i for i, token in enumerate(self.tokens)}
        self.end_id = self.token_to_id["\n"]

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, line: str) -> Tensor:
        """The numbers (T,) of the tokens of a line."""
        if strange := [piece for piece in tokenize(line) if piece not in self.token_to_id]:
            raise InputError(
                "Vocabulary.encode: line should be made of the words of the records, got "
                f"{strange[0]!r}. Use those."
            )
        return torch.tensor([self.token_to_id[piece] for piece in tokenize(line)], device="cpu")

    def decode(self, numbers: Tensor) -> str:
        """The line of token numbers (T,), up to the first line break."""
        return "".join(self.tokens[i] for i in numbers.tolist()).split("\n")[0]
