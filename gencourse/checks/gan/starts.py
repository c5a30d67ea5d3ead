"""Exercise on how the layers of a DCGAN start."""

import math

from torch import nn

from gencourse.checks._legacy import exercise
from gencourse.models import gan

LAYERS = """
class Start(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(200, 150), nn.BatchNorm1d(4000)
start, convolutions = Start(), nn.Sequential(nn.Conv2d(32, 48, 4), nn.BatchNorm2d(4000))
others = dict(Embedding=nn.Embedding(30, 40), LayerNorm=nn.LayerNorm(50), PReLU=nn.PReLU(60), Conv1d=nn.Conv1d(3, 4, 5))
network = nn.Sequential(start, convolutions, nn.ConvTranspose2d(48, 32, 4), *others.values())
layers = dict(
    linear=start.linear, norm_1d=start.norm, convolution=convolutions[0], norm_2d=convolutions[1], transposed=network[2], **others
)
for p in network.parameters():
    p.data.fill_(0.3)
network.apply(dcgan_init)
"""
WITHOUT_BIAS = """
plain = nn.Sequential(nn.Linear(80, 60, bias=False), nn.Conv2d(8, 16, 4, bias=False), nn.ConvTranspose2d(16, 8, 4, bias=False))
for p in plain.parameters():
    p.data.fill_(0.3)
plain.apply(dcgan_init)
[layer.weight for layer in plain]
"""
KINDS = {
    "linear": "a linear layer",
    "convolution": "a convolution",
    "transposed": "a transposed convolution",
    "norm_1d": "a one-dimensional batch norm",
    "norm_2d": "a two-dimensional batch norm",
}
OTHERS = ("Embedding", "LayerNorm", "PReLU", "Conv1d")


def spread_of_002(weight, centre=0.0):
    """Whether the weights spread around the centre by 0.02, within five standard errors."""
    off = (weight.double() - centre).square().mean().sqrt() / 0.02 - 1
    return bool(off.abs() < 5 / math.sqrt(2 * weight.numel()))


@exercise(
    reference=gan.dcgan_init,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "`network.apply(f)` calls f for every module in turn. What kind of module is it, and what should f do with each kind?",
        "The second parameter of a normal distribution: is 0.02 its variance or its standard deviation?",
        "Work in place on what the layer has; torch.nn.init holds functions that do. Not every layer has a bias.",
    ),
    insight="Every kind of layer starts as the DCGAN paper asks, what it does not name is left alone, and layers without a bias do no harm.",
)
def dcgan_init(ask, seed):
    seen = ask(
        f"torch.manual_seed({seed})\n{LAYERS}\n{{key: [layer.weight, getattr(layer, 'bias', None)] for key, layer in layers.items()}}"
    )
    for key, name in KINDS.items():
        weight, bias = seen[key]
        centre = 1.0 if "norm" in key else 0.0
        centred = (weight.double().mean() - centre).abs() <= 5 * weight.double().std() / math.sqrt(weight.numel()) + 1e-6
        yield f"whether the weights of {name} lie around {centre:g}", bool(centred)
        yield f"whether the weights of {name} spread around {centre:g} by 0.02", spread_of_002(weight, centre)
        far = (weight.double() - weight.double().mean()).abs() > 2 * weight.double().std() + 1e-6  # 0.0455 of a normal distribution
        bound = 5 * math.sqrt(0.0455 / weight.numel())
        yield (
            f"whether the weights of {name} go beyond two deviations as often as a normal does",
            abs(float(far.double().mean()) - 0.0455) < bound,
        )
        yield f"whether the biases of {name} are 0", bool((bias == 0).all())
    alone = {key: all(bool((t - 0.3).abs().max() < 1e-6) for t in seen[key] if t is not None) for key in OTHERS}
    yield "whether layers of other kinds were left alone", alone
    weights = ask(f"torch.manual_seed({seed})\n{WITHOUT_BIAS}")
    yield "whether the weights of layers without a bias spread around 0 by 0.02 too", [spread_of_002(weight) for weight in weights]
    learning = f"{LAYERS}\nall(p.requires_grad for p in network.parameters())"
    yield "whether all weights and biases can still learn", ask(learning)


def start(module, kinds, std=0.02):
    """Normal weights and zero biases, if the module is one of these kinds."""
    if isinstance(module, kinds):
        nn.init.normal_(module.weight, 0.0, std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def start_norm(module, mean=1.0, std=0.02, kinds=NORMS):
    if isinstance(module, kinds):
        nn.init.normal_(module.weight, mean, std)
        nn.init.zeros_(module.bias)


@dcgan_init.mistake("Nothing but None need be returned, but no layer has changed. Does it work in place, on the module's own tensors?")
def nothing_changed(module):
    return None


@dcgan_init.mistake("The linear layers were skipped. A generator starts with one: is its name among those that you ask for?")
def linear_skipped(module):
    start(module, CONVOLUTIONS)
    start_norm(module)


@dcgan_init.mistake("The transposed convolutions were skipped. Is nn.ConvTranspose2d a kind of nn.Conv2d?")
def transposed_skipped(module):
    start(module, (nn.Linear, nn.Conv2d))
    start_norm(module)


@dcgan_init.mistake("The batch norms were skipped. Where should their scales lie, and their shifts?")
def norm_skipped(module):
    start(module, (nn.Linear, *CONVOLUTIONS))


@dcgan_init.mistake(
    "The one-dimensional batch norms were skipped. Is the norm behind a linear layer of the same class as behind a convolution?"
)
def one_dimensional_norm_skipped(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, kinds=nn.BatchNorm2d)


@dcgan_init.mistake(
    "The two-dimensional batch norms were skipped. Is the norm behind a convolution of the same class as behind a linear layer?"
)
def two_dimensional_norm_skipped(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, kinds=nn.BatchNorm1d)


@dcgan_init.mistake("The spread is about 0.14. Is 0.02 the variance of the weights, or their standard deviation?")
def taken_for_the_variance(module):
    start(module, (nn.Linear, *CONVOLUTIONS), math.sqrt(0.02))
    start_norm(module, 1.0, math.sqrt(0.02))


@dcgan_init.mistake(
    "The scales of the batch norms lie around 0: the signal is nearly switched off there. By what should a norm multiply at first?"
)
def scales_around_zero(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, 0.0)


@dcgan_init.mistake("The scales of the batch norms are all exactly 1, as torch makes them. Which spread does the text give them?")
def scales_exactly_one(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, 1.0, 0.0)


@dcgan_init.mistake("The weights are right everywhere, the biases are not. What does the text want them to be?")
def biases_left(module):
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, NORMS):
        nn.init.normal_(module.weight, 1.0, 0.02)


@dcgan_init.mistake(
    "The biases of the batch norms, their shifts, are not what they should be; all the others are. Which value do they get?"
)
def shifts_left(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    if isinstance(module, NORMS):
        nn.init.normal_(module.weight, 1.0, 0.02)


@dcgan_init.mistake(
    "This is how a well-known tutorial does it, for networks without linear layers and without biases. What has it never met?"
)
def as_in_a_tutorial(module):
    name = type(module).__name__
    if "Conv" in name:
        nn.init.normal_(module.weight.data, 0.0, 0.02)
    elif "BatchNorm" in name:
        nn.init.normal_(module.weight.data, 1.0, 0.02)
        nn.init.constant_(module.bias.data, 0)


@dcgan_init.mistake("No weight of yours is ever far out. Which law does the text name, and does it have tails?")
def uniform_weights(module):
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        nn.init.uniform_(module.weight, -0.02, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    start_norm(module)


@dcgan_init.mistake("You changed layers that the text does not name, such as an embedding. Is having a weight enough to be asked?")
def everything_with_a_weight(module):
    if isinstance(module, NORMS):
        start_norm(module)
    elif hasattr(module, "weight"):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)


@dcgan_init.mistake("You changed a layer whose name only begins like one that the text lists. Which kinds of convolution does it list?")
def beginnings_of_names(module):
    name = type(module).__name__
    if name == "Linear" or name.startswith("Conv"):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif name.startswith("BatchNorm"):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


@dcgan_init.mistake("Every layer starts as it should, and stays there for good: no optimizer can move it. Which switch did you turn off?")
def frozen(module):
    gan.dcgan_init(module)
    module.requires_grad_(False)


@dcgan_init.mistake("Right for layers that have a bias. With `bias=False`, what is module.bias?")
def bias_taken_for_granted(module):
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        module.bias.data.fill_(0.0)
    start_norm(module)


@dcgan_init.also_right
def by_class_name(module):
    name = type(module).__name__
    if name in ("Linear", "Conv2d", "ConvTranspose2d"):
        module.weight.data.normal_(0.0, 0.02)
    elif name in ("BatchNorm1d", "BatchNorm2d"):
        module.weight.data.normal_(1.0, 0.02)
    else:
        return module
    if module.bias is not None:
        module.bias.data.zero_()
    return module


@dcgan_init.also_right
def by_new_parameters(module):
    for kinds, mean in (((nn.Linear, *CONVOLUTIONS), 0.0), (NORMS, 1.0)):
        if isinstance(module, kinds):
            module.weight = nn.Parameter(mean + 0.02 * module.weight.new_empty(module.weight.shape).normal_())
            if module.bias is not None:
                module.bias = nn.Parameter(module.bias.new_zeros(module.bias.shape))
