"""PixelCNN: convolutions that see only what lies above and to the left, and a sampler that computes
each position once.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError, describe
from gencourse.likelihoods import bernoulli_log_likelihood
from gencourse.models.autoregressive.made import require_binary
from gencourse.runtime import full_precision, seeded
from gencourse.validation import require_count, require_images, require_place, require_tensor


def pixelcnn_mask(kernel: int, kind: str) -> Tensor:
    """Which taps of a kernel × kernel convolution come before its centre in raster order: (kernel,
    kernel) of 0 and 1.

    kind "A" hides the centre, for the first layer, whose input is the image itself; kind "B" shows
    it, for the layers after. Source: van den Oord et al. 2016, figure 2 (arXiv 1601.06759).
    """
    require_count("pixelcnn_mask", "kernel", kernel)
    if kernel % 2 == 0:
        raise InputError(
            f"pixelcnn_mask: kernel should be odd, got {kernel}. An even one has no centre."
        )
    if kind not in ("A", "B"):
        raise InputError(
            f"pixelcnn_mask: kind should be 'A' or 'B', got {kind!r}. A for the first layer, B "
            "for the others."
        )
    mask = torch.zeros(kernel * kernel)
    mask[: kernel * kernel // 2 + (kind == "B")] = 1
    return mask.view(kernel, kernel)


class MaskedConv2d(nn.Conv2d):
    """A convolution whose kernel is multiplied by `pixelcnn_mask`; the image keeps its size."""

    mask: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, kind: str) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        self.register_buffer("mask", pixelcnn_mask(kernel, kind))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, in, H, W) -> (B, out, H, W)."""
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PlainPixelCNN(nn.Sequential):
    """Masked convolutions one after another: logits (B, 1, H, W).

    Causal, but blind to a wedge on the upper right.
    """

    def __init__(self, channels: int = 32, kernel: int = 5, layers: int = 4) -> None:
        convolutions: list[nn.Module] = [MaskedConv2d(1, channels, kernel, "A")]
        for _ in range(layers - 1):
            convolutions += [nn.ReLU(), MaskedConv2d(channels, channels, kernel, "B")]
        super().__init__(*convolutions, nn.ReLU(), nn.Conv2d(channels, 1, 1))


def gate(x: Tensor) -> Tensor:
    """tanh(a) σ(b) of the two halves of the channels, (B, 2C, ...) -> (B, C, ...).

    Source: van den Oord et al. 2016b.
    """
    a, b = x.chunk(2, dim=1)
    return a.tanh() * b.sigmoid()


class GatedLayer(nn.Module):
    """Two stacks: `v` sees all rows above, `h` what lies to the left in its own row, and `v` is
    added to `h`.

    Rows above and columns to the left are all that the kernels span, so no masks are needed.
    Source: van den Oord et al. 2016b, figure 2 (arXiv 1606.05328); here `v` has a residual
    connection as well.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.radius = kernel // 2
        self.vertical = nn.Conv2d(channels, 2 * channels, (self.radius + 1, kernel))
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, self.radius + 1))
        self.v_to_h = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """v, h (B, C, H, W) -> the same shapes."""
        r = self.radius
        above = self.vertical(F.pad(v, (r, r, r, 0)))
        beside = self.horizontal(F.pad(h, (r, 0, 0, 0))) + self.v_to_h(above)
        return v + gate(above), h + self.out(gate(beside))


class PixelCNN(nn.Module):
    """p(x) = Π_d Bernoulli(x_d; σ(logit_d)) over the pixels of binary images (1, H, W), by a gated
    PixelCNN.

    `layers` gated layers of `channels` channels; besides the pixels before it, each position knows
    where it is (a learned vector per position). `mean_image` (1, H, W), the average of the training
    images, is about where an untrained model starts.
    """

    def __init__(
        self,
        channels: int = 32,
        kernel: int = 5,
        layers: int = 5,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        mean_image: Tensor | None = None,
    ) -> None:
        super().__init__()
        pixelcnn_mask(kernel, "A")  # says what is wrong with an even kernel
        require_count("PixelCNN", "layers", layers)
        require_count("PixelCNN", "channels", channels)
        if len(image_shape) != 3 or image_shape[0] != 1:
            raise InputError(
                f"PixelCNN: image_shape should be (1, H, W), got {tuple(image_shape)}. For "
                "several channels use MADE."
            )
        if mean_image is not None and tuple(mean_image.shape) != tuple(image_shape):
            raise InputError(
                f"PixelCNN: mean_image should have shape {tuple(image_shape)}, got "
                f"{tuple(mean_image.shape)}. Pass x.mean(0)."
            )
        C, H, W = image_shape
        self.image_shape, self.radius = (C, H, W), kernel // 2
        self.first_v = nn.Conv2d(1, channels, (max(1, self.radius), kernel))
        self.first_h = nn.Conv2d(1, channels, (1, max(1, self.radius)))
        self.position_embedding = nn.Parameter(0.1 * torch.randn(2, channels, *image_shape[1:]))
        self.layers = nn.ModuleList(GatedLayer(channels, kernel) for _ in range(layers))
        self.head = nn.Sequential(
            nn.SiLU(), nn.Conv2d(channels, channels, 1), nn.SiLU(), nn.Conv2d(channels, 1, 1)
        )
        self.logit_bias = nn.Parameter(torch.zeros(self.image_shape))
        if mean_image is not None:
            with torch.no_grad():
                self.logit_bias.copy_(mean_image.clamp(0.01, 0.99).logit())
        nn.init.zeros_(cast(nn.Conv2d, self.head[-1]).weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 1, H, W) of x (B, 1, H, W): that of a pixel depends on the pixels before it
        only.
        """
        require_place("PixelCNN", "x", x, self)
        r, radius = max(1, self.radius), self.radius
        # the layout in which convolutions are fastest here
        x = x.contiguous(memory_format=torch.channels_last)
        # rows above
        v = self.first_v(F.pad(x, (radius, radius, r, 0)))[:, :, :-1] + self.position_embedding[0]
        # columns to the left
        h = self.first_h(F.pad(x, (r, 0, 0, 0)))[..., :-1] + self.position_embedding[1]
        for layer in self.layers:
            v, h = layer(v, h)
        return full_precision(self.head(h)) + self.logit_bias

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact: (B, 1, H, W) of 0 and 1 -> (B,), nats."""
        require_binary("PixelCNN.log_prob", x, self.image_shape, self)
        return bernoulli_log_likelihood(self(x), x)

    def loss(self, x: Tensor) -> dict[str, Tensor]:
        """{"loss"}: -log p(x), (B,), nats per image."""
        return {"loss": -self.log_prob(x)}

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n images (n, 1, H, W) of 0 and 1."""
        require_count("PixelCNN.sample", "n", n)
        empty = self.logit_bias.new_zeros(n, *self.image_shape)
        nothing = torch.zeros(self.image_shape, dtype=torch.bool, device="cpu")
        return self.complete(empty, known=nothing, seed=seed)

    @torch.no_grad()
    def complete(self, x: Tensor, known: Tensor, seed: int = 0) -> Tensor:
        """Draw the pixels that are not `known`, in raster order: x (n, 1, H, W) of 0 and 1, known
        (1, H, W) bool -> (n, 1, H, W).

        A drawn pixel depends on those before it, known or drawn, never on known ones after it.
        Every feature of every position is computed once, when the pixels that it needs are there:
        the vertical stack row by row, the horizontal stack position by position. One seed gives one
        result, which `raster_sample` with a whole pass per pixel gives too. Source: Ramachandran et
        al. 2017 (arXiv 1704.06001).
        """
        require_images("PixelCNN.complete", x, self.image_shape)
        require_tensor("PixelCNN.complete", "known", known)
        if known.shape != self.image_shape or known.dtype != torch.bool:
            raise InputError(
                f"PixelCNN.complete: known should be True and False of shape {self.image_shape}, "
                f"got {describe(known)}. One mask serves all images."
            )
        n, (_, H, W), known = len(x), self.image_shape, known.cpu()
        x = x.to(self.logit_bias).clone()
        u = torch.rand(H * W, n, generator=seeded(seed), device="cpu").view(H, W, n).to(x.device)
        r, radius = max(1, self.radius), self.radius
        padded = F.pad(x, (max(r, radius), radius, r, 0))  # what is not drawn yet is never read
        layers = [IncrementalGatedLayer(cast(GatedLayer, each), n, H, W) for each in self.layers]
        side = max(r, radius) - radius
        for i in range(H):
            v = (
                self.first_v(padded[:, :, i : i + r, side:])[:, :, 0]
                + self.position_embedding[0, :, i]
            )
            for layer in layers:
                v = layer.start_row(i, v)
            for j in range(W):
                at = j + max(r, radius)  # where column j stands in the padded image
                h = (
                    self.first_h(padded[:, :, i + r, None, at - r : at])[:, :, 0, 0]
                    + self.position_embedding[1, :, i, j]
                )
                for layer in layers:
                    h = layer.step(j, h)
                if not known[0, i, j]:
                    logit = self.head(h[:, :, None, None])[:, 0, 0, 0] + self.logit_bias[0, i, j]
                    x[:, 0, i, j] = padded[:, 0, i + r, at] = (u[i, j] < logit.sigmoid()).to(x)
        return x


class IncrementalGatedLayer:
    """A gated layer while the image grows: its inputs so far, within the margins of zeros of its
    convolutions.
    """

    def __init__(self, layer: GatedLayer, n: int, H: int, W: int) -> None:
        self.layer, r, C = layer, layer.radius, layer.out.in_channels
        self.v, self.h = (
            layer.out.weight.new_zeros(n, C, H + r, W + 2 * r),
            layer.out.weight.new_zeros(n, C, W + r),
        )
        self.taps, self.mix = layer.horizontal.weight.flatten(1), layer.out.weight.flatten(1)

    def start_row(self, i: int, v: Tensor) -> Tensor:
        """Take in row i of the vertical stack, (n, C, W), and return that of the next layer."""
        r, W = self.layer.radius, v.shape[-1]
        self.v[:, :, i + r, r : r + W] = v
        above = self.layer.vertical(self.v[:, :, i : i + r + 1])
        self.from_above = self.layer.v_to_h(above)[:, :, 0]
        return v + gate(above[:, :, 0])

    def step(self, j: int, h: Tensor) -> Tensor:
        """Take in column j of the horizontal stack, (n, C), and return that of the next layer."""
        r = self.layer.radius
        self.h[:, :, j + r] = h
        beside = F.linear(
            self.h[:, :, j : j + r + 1].flatten(1), self.taps, self.layer.horizontal.bias
        )
        return h + F.linear(gate(beside + self.from_above[:, :, j]), self.mix, self.layer.out.bias)
