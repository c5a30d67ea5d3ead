"""Texts and weather records: what ships is what its datasheet says, what is one's own works, and
sentences read back.
"""

import hashlib
import re
from pathlib import Path

import pytest
import torch

from gencourse.data import text, weather, windows
from gencourse.errors import DataUnavailable, InputError, InputTypeError


@pytest.mark.parametrize(
    ("name", "characters", "vocabulary", "beginning"),
    [
        ("shakespeare", 1_042_138, 76, "HAMLET, PRINCE OF DENMARK"),
        ("melville", 299_932, 77, "Call me Ishmael."),
    ],
)
def test_shipped_text(name, characters, vocabulary, beginning):
    data = text(name)
    assert (
        len(data.train) + len(data.validation) == characters and len(data.vocabulary) == vocabulary
    )
    assert data.decode(data.train[: len(beginning)]) == beginning
    assert len(data.validation) == pytest.approx(characters / 10, abs=2)
    assert f"{len(data.train):,} train" in repr(data)
    whole = data.decode(torch.cat([data.train, data.validation]))
    assert re.search(r"\n{3}", whole) is None and re.search(r"[ \r]\n", whole) is None


def test_text_goes_through_tokens_and_back():
    data = text("to be or not to be, that is the question. " * 10, held_out=0.25)
    assert data.decode(data.encode("that is not the question")) == "that is not the question"
    assert len(data.validation) == 105
    with pytest.raises(InputError, match="'Z'"):
        data.encode("Zebra")


def test_text_of_a_file_with_the_vocabulary_of_another(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("Ünder the greenwood tree, who loves to lie with me\n" * 20, "utf-8")
    known = text("shakespeare").vocabulary
    with pytest.raises(InputError, match="'Ü'"):
        text(file, vocabulary=known)
    data = text(file, vocabulary=known, unknown="drop")
    assert data.name == "mine" and data.vocabulary == known
    assert data.decode(data.train[:9]) == "nder the "


def test_text_refuses_with_sentences(tmp_path):
    with pytest.raises(InputError, match="shakespeare, melville"):
        text("shakespear")
    with pytest.raises(DataUnavailable, match="a file that can be read"):
        text(tmp_path / "missing.txt")
    with pytest.raises(InputTypeError, match="name, a Path or a string"):
        text(7)
    with pytest.raises(InputError, match="held_out"):
        text("shakespeare", held_out=1.0)
    with pytest.raises(InputError, match="unknown"):
        text("shakespeare", unknown="keep")


def test_windows_are_pairs_from_everywhere():
    tokens = torch.arange(50)
    starts = set()
    for (x, y), _ in zip(windows(tokens, 7, 16, seed=0), range(40), strict=False):
        assert (
            x.shape == y.shape == (16, 7)
            and torch.equal(y, x + 1)
            and torch.equal(x, x[:, :1] + torch.arange(7))
        )
        starts |= set(x[:, 0].tolist())
    assert starts == set(range(43))  # the last target is the last token
    first = next(windows(tokens, 7, 16, seed=1))
    assert torch.equal(first[0], next(windows(tokens, 7, 16, seed=1))[0])
    with pytest.raises(InputError, match="more than block"):
        windows(tokens, 50, 2, seed=0)


def test_weather_is_four_years_of_days():
    days = weather.weather()
    assert len(days) == 1461 and {day.sky for day in days} == set(weather.SKIES)
    assert days[0] == weather.Day("January", "drizzle", 5, 13, 0, 5)
    assert all(day.low <= day.high for day in days)


@pytest.mark.parametrize("template", range(len(weather.TEMPLATES)))
def test_every_sentence_is_read_back_as_its_day(template):
    for day in weather.weather():
        assert weather.parse_sentence(weather.sentence(day, template)) == day


def test_a_sentence_that_says_less_more_or_else_is_not_its_day():
    day = weather.Day("July", "sun", 12, 25, 0, 3)
    told = weather.sentence(day, 0)
    assert weather.parse_sentence(told + " It was warm.") is None
    assert weather.parse_sentence(told.replace(" with 0 mm of water and", "")) is None
    assert weather.parse_sentence(told.replace("25", "26")) == day._replace(high=26)
    assert weather.parse_sentence(told.replace("sunny", "suny")) is None
    with pytest.raises(InputError, match="template"):
        weather.sentence(day, 3)


def test_shipped_files_have_the_digests_of_their_datasheets():
    from importlib import resources

    for name in ("shakespeare.txt.xz", "melville.txt.xz", "seattle-weather.csv"):
        folder = resources.files("gencourse.data") / "files"
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest in (folder / f"{name.split('.')[0]}.md").read_text("utf-8")


def test_records_and_sentences_go_through_tokens_and_back():
    vocabulary = weather.Vocabulary()
    for day in weather.weather()[::50]:
        for line in (weather.record(day), weather.sentence(day, 1)):
            numbers = vocabulary.encode(line)
            assert vocabulary.decode(numbers) == line and numbers.max() < len(vocabulary)
    assert weather.tokenize("rain -3 12=") == ["rain", " ", "-", "3", " ", "1", "2", "="]
    assert (
        vocabulary.decode(
            torch.cat([vocabulary.encode(" rain"), torch.tensor([vocabulary.end_id, 0])])
        )
        == " rain"
    )
    with pytest.raises(InputError, match="hail"):
        vocabulary.encode("July hail 1 2 3 4=")


def test_a_file_is_found_by_the_path_that_people_type(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("x and y\n" * 30, "utf-8")
    for path in (Path("~/mine.txt"), Path("mine.txt"), Path("./mine.txt")):
        assert text(path).name == "mine"
    with pytest.raises(DataUnavailable, match=re.escape(str(tmp_path / "other.txt"))):
        text(Path("~/other.txt"))
    with pytest.raises(DataUnavailable, match=r"Path\(|Check the path"):
        text(tmp_path)  # a folder


LONG = "Generative models of the summer term/" * 3
PATHS = [
    "C:\\Users\\Firstname.Lastname\\OneDrive - University of Somewhere\\Documents\\texts\\my own "
    "text.txt",
    "C:/Users/Firstname.Lastname/" + LONG + "my own text",
    "\\\\server\\share\\" + LONG + "text.txt",
    "~/" + LONG + "my own text",
    "/media/somebody/" + LONG + "my own text",
    "../" + LONG + "text",
    LONG + "mine.md",
    "https://example.org/" + LONG + "x",
    "./a.txt",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_as_a_string_is_not_taken_for_a_text(path):
    with pytest.raises(InputError, match=r"looks like a path. Pass Path\("):
        text(path)


def test_the_name_of_something_that_is_there_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ("x" * 120)).write_text("y" * 200, "utf-8")
    with pytest.raises(InputError, match="looks like a path"):
        text("x" * 120)


@pytest.mark.parametrize(
    "one",
    [
        "It was / or it was not / a text of one line and more than a hundred characters. " * 2,
        "A text of\nseveral lines about C:\\folders\\and.txt\n" * 4,
        "Speeds were given in km/h, and in m/s. " * 4 + "and/or so.",
        "~ ~ ~ " * 30,
        "a" * 5000 + "/b.txt",
    ],
)
def test_a_text_is_not_taken_for_a_path(one):
    assert text(one).name == "a string"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_wrong_encoding_is_named_and_the_path_is_not_blamed(tmp_path, encoding):
    (tmp_path / "mine.txt").write_text("Ünder the greenwood tree " * 20, encoding)
    with pytest.raises(DataUnavailable, match="save it as UTF-8") as caught:
        text(tmp_path / "mine.txt")
    assert "Check the path" not in str(caught.value) and "codec" not in str(caught.value)
