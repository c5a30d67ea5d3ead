"""Exercise on augmentation in a game: both kinds of images go through it, and gradients do too."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.gan.augmentation import (
    both_logits,
    gradient_for_discriminator,
    gradient_for_samples,
)


def augmented_logits_reference(discriminator, augment, real, fake):
    """D's logits for augmented data and for augmented samples. Source: Zhao et al. 2020."""
    return discriminator(augment(real)), discriminator(augment(fake))


@exercise(
    reference=augmented_logits_reference,
    difficulty=1,
    minutes=6,
    points=2,
    hints=(
        (
            "If D saw augmented data and plain samples, what would it have to learn to tell them "
            "apart?"
        ),
        (
            "The generator's gradient comes through D, then through the augmentation. Nothing on "
            "that way may cut the graph."
        ),
    ),
    on_success=(
        "D never sees a plain image, so it cannot learn them by heart; G is asked through the same "
        "lens, so it need not make augmented ones."
    ),
)
def augmented_logits(answer, seed):
    real, fake, w = draw(seed, 3, 1, 2, 3), draw(seed + 1, 5, 1, 2, 3), draw(seed + 2, 12)
    yield "three images and five samples", answer.run(both_logits, real, fake, w)
    through = answer.run(gradient_for_samples, real, fake, w)
    yield "the gradient that reaches the samples, and through them the generator", through
    at_d = answer.run(gradient_for_discriminator, real, fake, w)
    yield "the gradient that reaches the discriminator", at_d
    real, fake = draw(seed + 3, 4, 2, 3, 2), draw(seed + 4, 1, 2, 3, 2)
    steep = "four images in two colours and one sample, for a steep D in evaluation mode"
    yield steep, answer.run(both_logits, real, fake, 40 * w, training=False)


@augmented_logits.alternative
def in_one_pass(discriminator, augment, real, fake):
    logits = discriminator(augment(torch.cat([real, fake])))
    return logits[: len(real)], logits[len(real) :]


@augmented_logits.alternative
def as_a_list(discriminator, augment, real, fake):
    return [discriminator(augment(x)) for x in (real, fake)]


@augmented_logits.mistake(
    "Only the data are augmented: D will take augmentation for a sign of real images, and G will "
    "learn to paint it. What else does D see?",
    "Augmenting the data alone is right for a classifier. Here it changes the distribution that G "
    "is asked to match.",
)
def data_only(discriminator, augment, real, fake):
    return discriminator(augment(real)), discriminator(fake)


@augmented_logits.mistake(
    "Only the samples are augmented: now D sees the data plain and can learn them by heart. What "
    "else does D see?"
)
def samples_only(discriminator, augment, real, fake):
    return discriminator(real), discriminator(augment(fake))


@augmented_logits.mistake("Nothing is augmented. What is `augment` for?")
def not_augmented(discriminator, augment, real, fake):
    return discriminator(real), discriminator(fake)


@augmented_logits.mistake(
    "The logits are right, but no gradient reaches the samples: G would learn nothing. Where is "
    "the graph cut?"
)
def augmented_without_gradient(discriminator, augment, real, fake):
    with torch.no_grad():
        real, fake = augment(real), augment(fake)
    return discriminator(real), discriminator(fake)


@augmented_logits.mistake(
    "The logits are right, but nobody can learn from them. D's own graph was not recorded, was it?"
)
def nothing_recorded(discriminator, augment, real, fake):
    with torch.no_grad():
        return discriminator(augment(real)), discriminator(augment(fake))


@augmented_logits.mistake(
    "The two came back in the other order. Which one does the docstring name first?"
)
def exchanged(discriminator, augment, real, fake):
    return discriminator(augment(fake)), discriminator(augment(real))


@augmented_logits.mistake(
    "The logits are augmented, the images are not. What does an augmentation act on?"
)
def logits_augmented(discriminator, augment, real, fake):
    return augment(discriminator(real)), augment(discriminator(fake))


@augmented_logits.mistake("Something is augmented twice. How often does each image go through?")
def augmented_twice(discriminator, augment, real, fake):
    return discriminator(augment(augment(real))), discriminator(augment(augment(fake)))


@augmented_logits.mistake(
    "In training mode D's logits are other ones: you ask it in evaluation mode, without its "
    "dropout. Who said that D changes its mode?"
)
def in_evaluation_mode(discriminator, augment, real, fake):
    was = discriminator.training
    logits = augmented_logits_reference(discriminator.eval(), augment, real, fake)
    discriminator.train(was)
    return logits


@augmented_logits.mistake(
    "The logits are right here, but a layer of D is in another mode while D is asked: its batch "
    "norms, say, or its dropout. Who said that D changes its mode?"
)
def layers_in_evaluation_mode(discriminator, augment, real, fake):
    norms = torch.nn.modules.batchnorm._BatchNorm
    changed = [(m, m.training) for m in discriminator.modules() if isinstance(m, norms)]
    for module, _ in changed:
        module.eval()
    logits = augmented_logits_reference(discriminator, augment, real, fake)
    for module, mode in changed:
        module.train(mode)
    return logits


@augmented_logits.mistake(
    "The logits are right, but D was shown images as well that did not come out of `augment`: it "
    "could learn those by heart, and its batch norms would count them. What does D see of yours?"
)
def plain_images_too(discriminator, augment, real, fake):
    discriminator(real)
    return augmented_logits_reference(discriminator, augment, real, fake)


@augmented_logits.mistake(
    "The logits are right, but D is asked piece by piece: a batch norm in it would see small "
    "batches, or single images. In how many calls can D judge a batch?"
)
def image_by_image(discriminator, augment, real, fake):
    return [
        torch.cat([discriminator(image[None]) for image in augment(images)])
        for images in (real, fake)
    ]


@augmented_logits.mistake(
    "The augmentation draws the same numbers at every call: the state of the random numbers is put "
    "back. What would D see of each image in a thousand steps?"
)
def numbers_put_back(discriminator, augment, real, fake):
    with torch.random.fork_rng(devices=[]):
        return augmented_logits_reference(discriminator, augment, real, fake)


@augmented_logits.mistake(
    "The logits are right, but the gradients that D held are gone. Who clears gradients, and when?"
)
def gradients_cleared(discriminator, augment, real, fake):
    discriminator.zero_grad()
    return augmented_logits_reference(discriminator, augment, real, fake)
