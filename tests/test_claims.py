"""Numbers that the prose states are enforced where they should be, and nowhere else."""

import pytest
import torch

from gencourse.claims import ClaimFailed, claim


@pytest.mark.parametrize(
    ("scale", "strict", "value", "fails"),
    [
        ("default", "1", -98.0, False),
        ("default", "1", -90.0, True),
        ("default", "1", float("nan"), True),
        ("default", "0", -90.0, False),
        ("smoke", "1", -90.0, False),
        ("full", "1", -90.0, False),
    ],
)
def test_claim_fails_only_in_strict_mode_at_the_default_scale(
    monkeypatch, capsys, scale, strict, value, fails
):
    monkeypatch.setenv("GENCOURSE_SCALE", scale)
    monkeypatch.setenv("GENCOURSE_STRICT", strict)
    if fails:
        with pytest.raises(ClaimFailed, match="should be within 3 of -98 nats"):
            claim("test_elbo", value, about=-98, within=3, unit="nats")
    else:
        claim(
            "test_elbo", torch.tensor(value, requires_grad=True), about=-98, within=3, unit="nats"
        )
        assert f"test elbo: {value:.1f} nats" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "fails"),
    [(0.01, False), (-0.01, False), (0.03, True), (-0.03, True), (float("nan"), True)],
)
def test_claim_below_bounds_the_size(monkeypatch, value, fails):
    monkeypatch.setenv("GENCOURSE_SCALE", "default")
    monkeypatch.setenv("GENCOURSE_STRICT", "1")
    if fails:
        with pytest.raises(ClaimFailed, match=r"should be less than 0\.02"):
            claim("difference", value, below=0.02)
    else:
        claim("difference", value, below=0.02)
