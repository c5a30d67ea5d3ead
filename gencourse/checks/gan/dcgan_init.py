"""Exercise on how the layers of a DCGAN start."""

import math

import torch
from torch import nn

from gencourse.checks import exercise
from gencourse.models import gan
from gencourse.probes.gan import layers

KINDS = (
    "linear layer",
    "convolution",
    "transposed convolution",
    "one-dimensional batch norm",
    "two-dimensional batch norm",
)


@exercise(
    reference=gan.dcgan_init,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "`network.apply(f)` calls f for every module in turn. What kind of module is it, and "
            "what should f do with each kind?"
        ),
        (
            "The second parameter of a normal distribution: is 0.02 its variance or its standard "
            "deviation?"
        ),
        (
            "Work in place on what the layer has; torch.nn.init holds functions that do. Not every"
            " layer has a bias."
        ),
    ),
    on_success=(
        "Every kind of layer starts as the DCGAN paper asks, what it does not name is left alone, "
        "and layers without a bias do no harm."
    ),
)
def dcgan_init(answer, seed):
    for kind in KINDS:
        yield f"the parameters of a {kind}", answer.run(layers.started, kind)
    yield "layers of other kinds", answer.run(layers.others_left)
    yield "layers without a bias", answer.run(layers.without_bias)
    bare = "batch norms without scales, or without running statistics"
    yield bare, answer.run(layers.without_scales)
    yield "a batch norm that has been in use", answer.run(layers.statistics)
    yield "small layers, in evaluation mode", answer.run(layers.small)
    yield "modules that are given one by one, without `apply`", answer.run(layers.by_itself)
    yield "a network in float64", answer.run(layers.other_dtype)
    yield "modules with names like those of layers", answer.run(layers.own_modules)
    yield "layers of subclasses", answer.run(layers.subclasses)
    yield "frozen layers", answer.run(layers.frozen)
    yield "whether two layers of one size start alike", answer.run(layers.two_of_one_size)


def start(module, kinds, std=0.02):
    """Normal weights and zero biases, if the module is one of these kinds."""
    if isinstance(module, kinds):
        nn.init.normal_(module.weight, 0.0, std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def start_norm(module, mean=1.0, std=0.02, kinds=NORMS):
    if isinstance(module, kinds) and module.affine:
        nn.init.normal_(module.weight, mean, std)
        nn.init.zeros_(module.bias)


@dcgan_init.alternative
def by_class_name(module):
    names = {kind.__name__ for kind in type(module).__mro__}
    if names & {"Linear", "Conv2d", "ConvTranspose2d"}:
        module.weight.data.normal_(0.0, 0.02)
    elif names & {"BatchNorm1d", "BatchNorm2d"} and module.weight is not None:
        module.weight.data.normal_(1.0, 0.02)
    else:
        return module
    if module.bias is not None:
        module.bias.data.zero_()
    return module


@dcgan_init.alternative
def by_names_of_parameters(module):
    if not isinstance(module, (nn.Linear, *CONVOLUTIONS, *NORMS)):
        return
    mean = float(isinstance(module, NORMS))
    for name, p in module.named_parameters(recurse=False):
        nn.init.normal_(p, mean, 0.02) if name == "weight" else nn.init.zeros_(p)


@dcgan_init.mistake(
    "Nothing but None need be returned, but no layer has changed. Does it work in place, on the "
    "module's own tensors?"
)
def nothing_changed(module):
    return None


@dcgan_init.mistake(
    "The linear layers were skipped. A generator starts with one: is its name among those that you"
    " ask for?"
)
def linear_skipped(module):
    start(module, CONVOLUTIONS)
    start_norm(module)


@dcgan_init.mistake(
    "The transposed convolutions were skipped. Is nn.ConvTranspose2d a kind of nn.Conv2d?"
)
def transposed_skipped(module):
    start(module, (nn.Linear, nn.Conv2d))
    start_norm(module)


@dcgan_init.mistake(
    "The batch norms were skipped. Where should their scales lie, and their shifts?"
)
def norm_skipped(module):
    start(module, (nn.Linear, *CONVOLUTIONS))


@dcgan_init.mistake(
    "The one-dimensional batch norms were skipped. Is the norm behind a linear layer of the same "
    "class as behind a convolution?"
)
def one_dimensional_norm_skipped(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, kinds=nn.BatchNorm2d)


@dcgan_init.mistake(
    "The two-dimensional batch norms were skipped. Is the norm behind a convolution of the same "
    "class as behind a linear layer?"
)
def two_dimensional_norm_skipped(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, kinds=nn.BatchNorm1d)


@dcgan_init.mistake(
    "The spread is about 0.14. Is 0.02 the variance of the weights, or their standard deviation?"
)
def taken_for_the_variance(module):
    start(module, (nn.Linear, *CONVOLUTIONS), math.sqrt(0.02))
    start_norm(module, 1.0, math.sqrt(0.02))


@dcgan_init.mistake(
    "The scales of the batch norms lie around 0: the signal is nearly switched off there. By what "
    "should a norm multiply at first?"
)
def scales_around_zero(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, 0.0)


@dcgan_init.mistake(
    "The scales of the batch norms are all exactly 1, as torch makes them. Which spread does the "
    "text give them?"
)
def scales_exactly_one(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    start_norm(module, 1.0, 0.0)


@dcgan_init.mistake(
    "The weights are right everywhere, the biases are not. What does the text want them to be?"
)
def biases_left(module):
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, NORMS) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)


@dcgan_init.mistake(
    "The biases of the batch norms, their shifts, are not what they should be; all the others are."
    " Which value do they get?"
)
def shifts_left(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    if isinstance(module, NORMS) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)


@dcgan_init.mistake(
    "This is how a well-known tutorial does it, for networks without linear layers and without "
    "biases. What has it never met?"
)
def as_in_a_tutorial(module):
    name = type(module).__name__
    if "Conv" in name:
        nn.init.normal_(module.weight.data, 0.0, 0.02)
    elif "BatchNorm" in name:
        nn.init.normal_(module.weight.data, 1.0, 0.02)
        nn.init.constant_(module.bias.data, 0)


@dcgan_init.mistake(
    "No weight of yours is ever far out. Which law does the text name, and does it have tails?"
)
def uniform_weights(module):
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        nn.init.uniform_(module.weight, -0.02, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    start_norm(module)


@dcgan_init.mistake(
    "You changed layers that the text does not name, such as an embedding. Is having a weight "
    "enough to be asked?"
)
def everything_with_a_weight(module):
    if isinstance(module, NORMS):
        start_norm(module)
    elif getattr(module, "weight", None) is not None:
        nn.init.normal_(module.weight, 0.0, 0.02)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)


@dcgan_init.mistake(
    "You changed a layer whose name only begins like one that the text lists. Which kinds of "
    "convolution does it list?"
)
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


@dcgan_init.mistake(
    "Every layer starts as it should, and stays there for good: no optimizer can move it. Which "
    "switch did you turn off?"
)
def frozen(module):
    gan.dcgan_init(module)
    module.requires_grad_(False)


@dcgan_init.mistake("Right for layers that have a bias. With `bias=False`, what is module.bias?")
def bias_taken_for_granted(module):
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        module.bias.data.fill_(0.0)
    start_norm(module)


@dcgan_init.mistake(
    "Right for batch norms that have scales. With `affine=False`, what is module.weight?"
)
def scales_taken_for_granted(module):
    start(module, (nn.Linear, *CONVOLUTIONS))
    if isinstance(module, NORMS):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


@dcgan_init.mistake(
    "`network.apply` goes through all modules, and so do you: every layer is started once for each "
    "container around it. What should f do with the one module that it is given?"
)
def through_the_submodules(module):
    for part in module.modules():
        gan.dcgan_init(part)


@dcgan_init.mistake(
    "Right for a network that `apply` goes through from the outside. A layer that is given by "
    "itself has no children: what should f do with the module that it is given?"
)
def through_the_children(module):
    for part in module.children():
        gan.dcgan_init(part)


@dcgan_init.mistake(
    "Right in float32. A network in float64, or on another device, gets parameters of torch's "
    "defaults here. Which functions fill a tensor where it is?"
)
def new_numbers_of_the_default(module):
    gan.dcgan_init(module)
    if isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        module.weight.data = 0.02 * torch.randn(module.weight.shape)
    elif isinstance(module, NORMS) and module.affine:
        module.weight.data = 1.0 + 0.02 * torch.randn(module.weight.shape)


@dcgan_init.mistake(
    "The numbers are right, but they stand in new parameters: an optimizer that holds the layer's "
    "own ones moves nothing, and layers that shared one no longer do. Filled or replaced?"
)
def by_new_parameters(module):
    for kinds, mean in (((nn.Linear, *CONVOLUTIONS), 0.0), (NORMS, 1.0)):
        if isinstance(module, kinds) and module.weight is not None:
            normal = module.weight.new_empty(module.weight.shape).normal_()
            module.weight = nn.Parameter(mean + 0.02 * normal)
            if module.bias is not None:
                module.bias = nn.Parameter(module.bias.new_zeros(module.bias.shape))


@dcgan_init.mistake(
    "Right for the five classes themselves. A layer whose class is made from one of them is left "
    "as it was. How does Python ask whether a module is *a* linear layer?"
)
def exact_classes(module):
    if type(module) in (nn.Linear, *CONVOLUTIONS, *NORMS):
        gan.dcgan_init(module)


@dcgan_init.mistake(
    "Right but for frozen parameters, which you leave out. What does the text want to stay: their "
    "values, or their flag?"
)
def frozen_left_out(module):
    kept = [(p, p.detach().clone()) for p in module.parameters() if not p.requires_grad]
    gan.dcgan_init(module)
    for p, value in kept:
        p.data.copy_(value)
