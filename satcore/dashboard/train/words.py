"""What the page on training says."""

from collections.abc import Sequence

from satcore import background, networks
from satcore.dashboard.train.presets import PRESETS
from satcore.dashboard.train.records import Beside, Epoch, Training, called
from satcore.recipes import Recipe
from satcore.runs import Run

INTRODUCTION = (
    "Train a network and watch it saturate: by a recipe that is quick, by one of the paper's, or by one of your own. "
    "From the first epoch on, all of it is drawn here."
)
WIDTHS = "Units of each hidden layer, as many layers as you like: 300, 100."
RATE = "Adam's learning rate; one that changes within a phase does so in proportion."
BATCH = "Images a step. It divides 60,000."
LAMBDA = "The largest weight of the penalty (Eq. 8); λ's steps are in proportion. 0: no penalty, the control."
EPOCHS = "Of the longest phase; the others are in the table."
ALPHA = (
    "The weight of the images as they are (Eq. 4); the rest goes to their FGSM examples, or, where bounds are trained "
    "on, to the worst within ε. 1: none of those."
)
SCALE = "A factor on PyTorch's initial weights."
STEP = "Each pixel passes a step at ½ before the first layer: no gradient comes through."
PHASES = "One row a phase, begun with Adam anew. λ goes from where it begins, by its step an epoch, up to its largest."
BOUNDS = " ε, within which bounds are trained on, goes likewise; α moves to its last."
SHORTCUT = (
    "A recipe to be watched, and no reproduction: Adam soon forgets (β₂ = 0.95) and follows gradients however small "
    "(ε = 10⁻¹⁵), and the penalty takes the logits themselves, f(z) = z, as in the paper's CNN. In its control "
    "gradients vanish, too, but on fewer images; hidden units saturate there no less. The weights of the paper's "
    "saturated networks are kurtotic; how far these are is drawn below."
)
FGSM = (
    "FGSM: one step of ε = {epsilon:g} along the sign of the gradient of the cross-entropy by float32 autograd; what "
    "was wrong before counts as wrong. All shares on the first 1,000 test images."
)
HATCHED = "Hatched: the share on which that gradient is exactly zero, and FGSM changes nothing."
ON_THE_CURVE = (
    "Thick line: φ(h). Bars: where the inputs of the layer's units lie on it, on 200 test images, in full colour where "
    "φ is flat (φ′ < 10⁻³). Saturated: what the penalty takes of a unit (φ_c, Eq. 7; of a logit, as the recipe "
    "has it) is below 0.001. Dotted, here and below: after epoch {first}. "
    "Histograms are drawn to one height."
)
RAMP = " The knee of a ramp, which is learned, is drawn where it began."
BEGINS = "It begins: the digits are read, and it is measured in which precision this machine is faster."
QUEUE = "Another training is under way: this one begins once it has ended or pauses."
STOPS = "It pauses after the epoch that is under way."
NO_RECORD = "Of its epochs nothing was kept. Another seed trains such a network anew."
FORGOTTEN = "**{called}** is forgotten, with all that it had come to."
GONE = "The training that this address asks for isn't on this machine: it has been forgotten, or was never begun here."
LEFT_OUT = "What the address asks for isn't offered here, and is left as it would be without: {settings}."
GUESSED = 0.2  # right by no more than this: who always names one digit is right about one time in ten
WAITS = "It waits for its turn: one trains at a time."


def will_be(run: Run, seconds: float | None) -> str:
    """What a run will come to: the network, its epochs, λ, and how long it may take at so many `seconds` an epoch."""
    recipe = run.recipe
    time = f", about {_long(seconds * recipe.epochs)} as an epoch of such a network took here" if seconds else ""
    epochs = _counted(recipe.epochs, "epoch")
    return f"A new one: {networks.described(recipe.architecture)}; {epochs}, {_penalty(recipe)}{time}."


def heading(training: Training) -> str:
    """What the training is that is shown."""
    recipe = training.run.recipe
    return f"**{called(training.run)}** · {networks.described(recipe.architecture)}, {_penalty(recipe)}"


def forgets(training: Training) -> str:
    """What is lost where a training is cancelled."""
    described = networks.described(training.run.recipe.architecture)
    return f"This forgets all that **{called(training.run)}** has come to: {described}."


def done(training: Training) -> str:
    """What became of a training, before the links to where it is."""
    return f"Trained, and on every page as **{training.name}**:"


def progress(epochs: Sequence[Epoch], last: int) -> str:
    """How far a training has got, and how much longer it takes at the pace so far."""
    now = epochs[-1]
    pace = now.seconds / now.epoch
    left = f", about {_long(pace * (last - now.epoch))} to go" if now.epoch < last else ""
    return f"Epoch {now.epoch:,} of {last:,} · {pace:.2g} s of training an epoch{left}"


def rests(epochs: Sequence[Epoch], last: int) -> str:
    """How far a training has got that nobody is at."""
    return f"Paused after epoch {epochs[-1].epoch if epochs else 0:,} of {last:,}"


def nothing_learned(now: Epoch) -> str:
    """That a network is dead, and not saturated."""
    return (
        f"So far it has learned nothing: it is right on {100 * now.accuracy:.1f} %, hardly more often than if it "
        "always named one digit. Its zero gradients and saturated units are a dead network's, and no robustness."
    )


def caption(epochs: Sequence[Epoch], recipe: Recipe, beside: Beside | None) -> str:
    """What is to be known of the figures of a training: how they are meant, and what is drawn in grey."""
    said = [_on_the_curve(epochs[0], recipe)] if epochs else []
    said += [grey(beside, recipe)] if beside else []
    said += [FGSM.format(epsilon=recipe.epsilon)] + [HATCHED] * bool(epochs)
    if epochs and recipe.identity in {preset.identity for preset in PRESETS.values()}:
        said += [SHORTCUT]
    return " ".join(said)


def _on_the_curve(first: Epoch, recipe: Recipe) -> str:
    ramp = any(block.nonlinearity == "ramp" for block in recipe.architecture)
    return ON_THE_CURVE.format(first=first.epoch) + (RAMP if ramp else "")


def listed(training: Training, goes: bool) -> str:
    """A training in the list of all, and whether it `goes` on; not how far, which is drawn where it is shown."""
    standing = training.standing
    if standing is None:
        where = training.name
    elif not goes:
        where = "ended badly" if standing.complaint else "paused"
    else:
        where = "waits" if standing.report and standing.report.says == background.WAITS else "under way"
    return f"{where} · {called(training.run)}, {networks.described(training.run.recipe.architecture)}"


def grey(beside: Beside, recipe: Recipe) -> str:
    """What is drawn in grey in the figure of the course of a `recipe`, and what that came to."""
    last = beside.stages[-1]
    there = f"after epoch {last.epoch:,}: {100 * last.fgsm_accuracy:.1f} % right after FGSM"
    if not beside.on_the_axis_of(recipe):
        there += f"; its λ, up to {_number(beside.lambda_max)}, is of another size and not drawn"
    return f"In grey: {beside.called}; {there}."


def _penalty(recipe: Recipe) -> str:
    within = max(phase.within.maximum for phase in recipe.phases)
    bounds = f"bounds within ε = {within:g}, " if within else ""
    return bounds + (f"λ up to {_number(recipe.lambda_max)}" if recipe.lambda_max else "λ = 0")


def _number(lam: float) -> str:
    """λ to three digits, with a power of ten where it is small or large, as in the figures."""
    mantissa, _, exponent = f"{lam:.3g}".partition("e")
    if not exponent:
        return mantissa
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"{mantissa}·{power}"


def _long(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.1f} h"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
