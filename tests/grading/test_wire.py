"""Messages between judge and box: what goes in comes out, and nothing else gets through."""

import json
import math
import random

import pytest
import torch

from gencourse.checks._values import agree
from gencourse.grading.sandbox.inside import wire
from gencourse.runner import Opaque, Raised

LIMIT = 1 << 20


def there_and_back(value):
    frame = wire.pack(value)
    body, raw = wire.lengths(frame[: wire.HEADER.size], LIMIT)
    rest = frame[wire.HEADER.size :]
    assert len(rest) == body + raw
    return wire.unpack(rest[:body], rest[body:])


VALUES = [
    *(None, True, False, 0, -(2**63) + 1, 2**63 - 1, 0.1, -0.0, math.inf, "", "ε ≤ 1\n\t", [], {}),
    *(
        [1, [2.5, [None, "x"]], {"a": torch.ones(2), "b": {"c": []}}],
        Raised("ValueError", "no", " (line 1)"),
        Opaque("Generator"),
    ),
    *(
        torch.tensor(3.5),
        torch.zeros(0, 3),
        torch.zeros(2, 0),
        torch.arange(6).view(2, 3).T,
        torch.ones(3, 4)[:, ::2],
    ),
    *(
        torch.tensor([math.nan, math.inf, -math.inf]),
        torch.tensor([True, False]),
        torch.ones(2).expand(3, 2),
        torch.arange(21).view(3, 7)[:, :1],
    ),
    *(torch.arange(4).to(dtype) for dtype in wire.DTYPES.values()),
    (1, (torch.ones(2), [2])),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:40])
def test_plain_data_survives(value):
    back = there_and_back(value)
    assert agree(back, value, 0, 0) and type(back) is type(value)
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype and back.shape == value.shape


def test_generator_arrives_fresh():
    back = there_and_back({"generator": torch.Generator().manual_seed(11)})["generator"]
    assert torch.equal(
        torch.rand(3, generator=back), torch.rand(3, generator=torch.Generator().manual_seed(11))
    )


def test_a_tensor_that_occurs_twice_is_one_tensor_again():
    x = torch.ones(2)
    a, b, c = there_and_back([x, x, x.clone()])
    a.zero_()
    assert not b.any() and c.all()


def test_not_a_number_survives():
    assert math.isnan(there_and_back(math.nan))


@pytest.mark.parametrize(
    "value",
    [object(), torch.ones(2).to_sparse(), torch.ones(2, dtype=torch.complex64), {"a": print}],
    ids=["object", "sparse", "complex", "function"],
)
def test_other_objects_are_not_sent(value):
    with pytest.raises((wire.Malformed, RuntimeError, TypeError)):
        wire.pack(value)


def test_lists_too_deep_are_not_sent():
    value = []
    for _ in range(wire.DEPTH_LIMIT + 2):
        value = [value]
    with pytest.raises(wire.Malformed, match="deep"):
        wire.pack(value)


HOSTILE = [
    {"tensor": ["float32", [2], 0, 4]},  # fewer bytes than the shape says
    {"tensor": ["float32", [2], 4, 8]},  # beyond the end
    {"tensor": ["float32", [2], -4, 8]},
    {"tensor": ["float32", [-1, -2], 0, 8]},
    {"tensor": ["float32", [2.0], 0, 8]},
    {"tensor": ["float32", [True, 2], 0, 8]},
    {"tensor": ["object", [2], 0, 8]},
    {"tensor": ["float32", [1] * 13 + [2], 0, 8]},
    {"tensor": ["float32", [0, 2**70], 0, 0]},
    {"tensor": "float32"},
    {"tensor": ["float32", {}, 0, 8]},
    {"raised": ["ValueError", 3, ""]},
    {"raised": "x"},
    {"opaque": ["x"]},
    {"dict": [["a"]]},
    {"dict": [[1, 2]]},
    {"dict": 3},
    {"pickle": "gASV"},
    {"tensor": ["float32", [2], 0, 8], "dict": []},
    {},
    2**63,
    10**400,
]


@pytest.mark.parametrize("content", HOSTILE, ids=lambda c: json.dumps(c)[:50])
def test_forged_values_are_refused(content):
    with pytest.raises(wire.Malformed):
        wire.unpack(json.dumps(content).encode(), b"\0" * 8)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'"\xc3\xa9"', b"[" * 40 + b"]" * 40],
    ids=["empty", "cut", "binary", "deep", "long number", "not ascii", "forty deep"],
)
def test_bytes_that_are_no_message_are_refused(body):
    with pytest.raises(wire.Malformed):
        wire.unpack(body, b"")


def test_random_bytes_are_refused_or_harmless():
    rng = random.Random(0)
    frame = bytearray(wire.pack([1, {"a": torch.ones(2)}, Raised("a", "b")]))
    for _ in range(2000):
        forged = bytearray(frame)
        for _ in range(rng.randint(1, 4)):
            forged[rng.randrange(len(forged))] = rng.randrange(256)
        try:
            body, raw = wire.lengths(bytes(forged[: wire.HEADER.size]), LIMIT)
            rest = bytes(forged[wire.HEADER.size :])
            wire.unpack(rest[:body], rest[body : body + raw])
        except wire.Malformed:
            continue


@pytest.mark.parametrize(
    "header", [b"x" * wire.HEADER.size, wire.HEADER.pack(wire.MAGIC, wire.JSON_LIMIT + 1, 0)]
)
def test_headers_are_checked(header):
    with pytest.raises(wire.Malformed):
        wire.lengths(header, LIMIT)


def test_sizes_are_limited():
    with pytest.raises(wire.Malformed):
        wire.lengths(wire.HEADER.pack(wire.MAGIC, 10, LIMIT + 1), LIMIT)
    with pytest.raises(wire.Malformed):
        wire.pack(["x" * 90_000] * 60)
    assert there_and_back([[]] * (wire.VALUES_LIMIT - 1))
    with pytest.raises(wire.Malformed):
        wire.pack([[]] * wire.VALUES_LIMIT)


def test_texts_can_be_stored_and_shown():
    body = json.dumps(["\ud800", "a\x00b\x1b[31m", "x" * (2 * wire.TEXT_LIMIT)]).encode()
    half, control, long = wire.unpack(body, b"")
    half.encode("utf-8")
    assert "\x00" not in control and "\x1b" not in control
    assert len(long) == wire.TEXT_LIMIT
