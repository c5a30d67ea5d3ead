"""The autoregressive models that the course's are compared with, in their usual forms, written by
us: nanoGPT's and a PixelCNN.

Each is a function (data, seconds, seed) -> Run, which trains until the seconds are used up. The
clock runs from the first batch to the last; building networks and loaders is not counted.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.budget import within
from benchmarks.data import tutorial_loader
from gencourse.data import Images, Text
from gencourse.runtime import pick_device


class Run(NamedTuple):
    """One training: what came out, as tokens or images -> logits; its seconds, its steps, the
    characters or images it saw.
    """

    logits: Callable[[Tensor], Tensor]
    seconds: float
    steps: int
    seen: int


# --- text: nanoGPT's configuration for a CPU

N_LAYER, N_HEAD, N_EMBD, BLOCK_SIZE, BATCH_SIZE = 4, 4, 128, 64, 12
LEARNING_RATE, MIN_LR, WARMUP_ITERS, GRAD_CLIP = 1e-3, 1e-4, 100, 1.0


class TutorialBlock(nn.Module):
    """Attention by F.scaled_dot_product_attention and an MLP, each after a norm and added to the
    stream; no biases.
    """

    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(N_EMBD, bias=False), nn.LayerNorm(N_EMBD, bias=False)
        self.c_attn = nn.Linear(N_EMBD, 3 * N_EMBD, bias=False)
        self.attn_c_proj = nn.Linear(N_EMBD, N_EMBD, bias=False)
        self.c_fc = nn.Linear(N_EMBD, 4 * N_EMBD, bias=False)
        self.mlp_c_proj = nn.Linear(4 * N_EMBD, N_EMBD, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        B, T, C = x.size()
        q, k, v = (
            part.view(B, T, N_HEAD, C // N_HEAD).transpose(1, 2)
            for part in self.c_attn(self.ln_1(x)).split(N_EMBD, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_c_proj(y.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.mlp_c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class TutorialGPT(nn.Module):
    """GPT-2 made small: learned positions, one matrix for the embedding and the logits."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, N_EMBD), nn.Embedding(BLOCK_SIZE, N_EMBD)
        self.h = nn.ModuleList(TutorialBlock() for _ in range(N_LAYER))
        self.ln_f, self.lm_head = (
            nn.LayerNorm(N_EMBD, bias=False),
            nn.Linear(N_EMBD, vocab_size, bias=False),
        )
        self.wte.weight = self.lm_head.weight
        for name, p in self.named_parameters():
            if p.dim() >= 2:
                nn.init.normal_(
                    p,
                    mean=0.0,
                    std=0.02 / math.sqrt(2 * N_LAYER) if name.endswith("c_proj.weight") else 0.02,
                )

    def forward(self, idx: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """idx (B, T) -> logits (B, T, V), and the mean loss if there are targets (B, T)."""
        x = self.wte(idx) + self.wpe(torch.arange(idx.size(1), device=idx.device))
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        loss = (
            None
            if targets is None
            else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))
        )
        return logits, loss


def learning_rate(step: int, steps: int) -> float:
    """Linear up to LEARNING_RATE, then half a cosine down to MIN_LR at the last step."""
    if step < WARMUP_ITERS:
        return LEARNING_RATE * (step + 1) / (WARMUP_ITERS + 1)
    ratio = (step - WARMUP_ITERS) / (steps - WARMUP_ITERS)
    return MIN_LR + 0.5 * (1 + math.cos(math.pi * ratio)) * (LEARNING_RATE - MIN_LR)


def nanogpt(data: Text, seconds: float, seed: int) -> Run:
    """AdamW 1e-3 with decay 0.1 on matrices and betas (0.9, 0.99), gradients clipped at 1, float32,
    stacked slices as batches.

    The cosine falls over the steps that the budget allows, found as for the course's model. Its own
    pauses for validation and checkpoints are left out. On a GPU nanoGPT itself would use bfloat16
    and torch.compile: compare on a CPU.
    """
    device = pick_device()

    def train(steps: int, limit: float) -> tuple[TutorialGPT, float, int]:
        torch.manual_seed(seed)
        model = TutorialGPT(len(data.vocabulary)).to(device)
        decayed, others = (
            [p for p in model.parameters() if (p.dim() >= 2) == matrix] for matrix in (True, False)
        )
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(
            groups, lr=LEARNING_RATE, betas=(0.9, 0.99), fused=device.type == "cuda"
        )
        start = time.perf_counter()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps)
            ix = torch.randint(len(data.train) - BLOCK_SIZE, (BATCH_SIZE,))
            x = torch.stack([data.train[i : i + BLOCK_SIZE] for i in ix]).to(device)
            y = torch.stack([data.train[i + 1 : i + 1 + BLOCK_SIZE] for i in ix]).to(device)
            _, loss = model(x, y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()
            if (used := time.perf_counter() - start) >= limit:
                break
        return model.eval(), used, step + 1

    model, used, steps = within(train, seconds)
    return Run(lambda idx: model(idx)[0], used, steps, steps * BATCH_SIZE * BLOCK_SIZE)


# --- pixels: the usual PixelCNN

PIXEL_BATCH = 16


class TutorialConv(nn.Conv2d):
    """A convolution that sets the hidden taps of its own kernel to zero before each use, as
    tutorials do.
    """

    def __init__(self, mask_type: str, *args, **kwargs):
        super().__init__(*args, **kwargs)
        _, _, kH, kW = self.weight.size()
        mask = torch.ones_like(self.weight)
        mask[:, :, kH // 2, kW // 2 + (mask_type == "B") :] = 0
        mask[:, :, kH // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, in, H, W) -> (B, out, H, W)."""
        self.weight.data *= self.mask
        return super().forward(x)


def tutorial_pixelcnn(fm: int = 64) -> nn.Sequential:
    """Mask A 7 × 7, then seven layers of mask B 3 × 3, each with BatchNorm and ReLU: x (B, 1, H, W)
    -> logits (B, 1, H, W).
    """
    layers = [TutorialConv("A", 1, fm, 7, 1, 3, bias=False), nn.BatchNorm2d(fm), nn.ReLU(True)]
    for _ in range(7):
        layers += [
            TutorialConv("B", fm, fm, 3, 1, 1, bias=False),
            nn.BatchNorm2d(fm),
            nn.ReLU(True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(fm, 1, 1))


def pixelcnn(data: Images, seconds: float, seed: int) -> Run:
    """DataLoader with a PIL image and ToTensor per item, Adam at 1e-3, the mean of the BCE over all
    pixels.

    In the tutorials' own sizes, 7 × 7 in all layers and batches of 128, it would make a few dozen
    steps in two minutes on one core and learn little; 3 × 3, which some use, and batches of 16 are
    to its advantage.
    """
    torch.manual_seed(seed)
    device = pick_device()
    net, loader = tutorial_pixelcnn().to(device), tutorial_loader(data, batch_size=PIXEL_BATCH)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    start, steps, seen = time.perf_counter(), 0, 0
    while True:
        for x, _ in loader:
            x = torch.bernoulli(x.to(device))
            loss = F.binary_cross_entropy_with_logits(net(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            steps, seen = steps + 1, seen + len(x)
            if (used := time.perf_counter() - start) >= seconds:
                return Run(net.eval(), used, steps, seen)
