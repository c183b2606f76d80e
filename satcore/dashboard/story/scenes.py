"""The story: a dozen scenes, each a page of the dashboard with its settings, and what is said of it.

In braces: figures by their names in `quoted.py`. A scene whose figures aren't stored isn't shown.
"""

from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from satcore.dashboard.story.quoted import quoted
from satcore.evaluation.rungs import ONE_WORD

VANILLA, SATURATED, CONTROL = (f"sigmoid-mlp/{training}" for training in ("vanilla", "saturated", "control"))
DIGIT = {"pick": "by index", "index": "63"}  # a 3 on which each attack of the story does what it does on most
TABLE_1 = "FGSM"  # as in Table 1, of all test images
Settings = dict[str, str | list[str]]


@dataclass(frozen=True)
class Scene:
    """One scene.

    says      one sentence, below the title
    look      what to look at
    notes     for the speaker alone
    page      of the dashboard, as in its address; "" is the first
    part      how far down the page is shown, as the page calls it
    settings  of the page, as in its address
    figure    a network and a rung of the ladder, or `TABLE_1`: what it leaves can be computed anew on stage
    """

    title: str
    says: str
    look: str
    notes: str
    page: str
    part: str
    settings: Settings = field(default_factory=dict)
    figure: tuple[str, str] | None = None

    def address(self, number: int) -> str:
        """Of this scene, the `number`-th from 1, below the dashboard's own address."""
        return f"{self.page}?{urlencode({'scene': number, **self.settings}, doseq=True)}"


SCENES = (
    Scene(
        title="The promise",
        says="After FGSM, says the paper, {sigmoid-mlp/saturated published} % are right where units saturate; in ours "
        "{sigmoid-mlp/saturated after FGSM} (ε = {epsilon}, cross-entropy, float32 autograd).",
        look="saturated, in pink, reaches nearly as far as without any attack; vanilla is gone. What is the hatching?",
        notes="Nayebi and Ganguli, 2017: a penalty drives every unit into the flat part of its nonlinearity. Vanilla "
        "keeps {sigmoid-mlp/vanilla after FGSM}. Adversarial training gets there too, but by training on the attack. "
        "Promise the hatching for later: there the gradient was exactly zero, on "
        "{sigmoid-mlp/saturated zero gradients} of the images.",
        page="",
        part="Table 1",
        figure=(SATURATED, TABLE_1),
    ),
    Scene(
        title="What saturation is",
        says="A unit is saturated where its nonlinearity is flat: a small change of its input changes next to nothing.",
        look="the bars, where the units' inputs lie on the curve. In full colour: flat. Mind the axes: saturated works "
        "far further out.",
        notes="Same architecture, same data, same nonlinearity. The penalty pushes the inputs out until the sigmoid is "
        "a step. What an attack follows, the gradient, is multiplied by the slope at every layer. The control, trained "
        "alike without the penalty, is driven out as well, though less far: keep that for later.",
        page="weights",
        part="Saturation",
        settings={"networks": [VANILLA, SATURATED, CONTROL]},
    ),
    Scene(
        title="How gradients vanish",
        says="After FGSM (cross-entropy, float32 autograd) {quick/saturated-seed-1 after FGSM} of "
        "{quick/saturated-seed-1 images} test images are right, without the penalty {quick/control-seed-1 after FGSM}.",
        look="the thick curve, right before and after it, and the hatching, a gradient of exactly zero: over "
        "{quick/saturated-seed-1 epochs} epochs one follows the other.",
        notes="It plays by itself; drag over the course to go back and forth. λ is drawn below it, and in grey the "
        "control, without the penalty. A recipe to be watched, and no reproduction: an MLP whose penalty takes the "
        "logits themselves, as in the paper's CNN, and an Adam that follows however small a gradient. P, another seed "
        "and Start: one is trained before the room's eyes, in a minute or two.",
        page="train",
        part="course",
        settings={"train_start": "Gradients vanish in two minutes", "train_seed": "1"},
        figure=("quick/saturated-seed-1", TABLE_1),
    ),
    Scene(
        title="Between a 3 and a 7",
        says="Along a straight line vanilla's answer glides; the saturated one's rests and jumps, and so does the "
        "control's.",
        look="the length element, how fast the answer moves. It is nearly zero almost everywhere, then leaps.",
        notes="Play it, or drag the cursor. Resting is what the paper calls robust; but there are jumps all along the "
        "way, and the path is no shorter for them. Flat between jumps is not far from a jump.",
        page="interpolation",
        part="Line",
        settings={"networks": [VANILLA, SATURATED], "source": "3", "target": "7"},
    ),
    Scene(
        title="One step fools the vanilla network",
        says="FGSM: every pixel by at most ε = {epsilon}, along the sign of the gradient. Vanilla gets "
        "{sigmoid-mlp/vanilla clean} right before, {sigmoid-mlp/vanilla after FGSM} after.",
        look="the verdict, and the gradient: it is large enough to be followed.",
        notes="One step, one image, live. The change looks like noise and is not: each pixel is moved the way that "
        "hurts most.",
        page="live_attack",
        part="attack",
        settings={"networks": [VANILLA], "attack": "FGSM", **DIGIT},
        figure=(VANILLA, TABLE_1),
    ),
    Scene(
        title="The same step on the saturated one: nothing happens",
        says="The gradient is exactly zero, so FGSM hands the image back; so it is on "
        "{sigmoid-mlp/saturated zero gradients} of all {sigmoid-mlp/saturated images} test images.",
        look="no change at all, and the red cross: float32 has only zero there.",
        notes="This was the hatching. Nothing was withstood: nothing was tried. Ask the room what they would change "
        "about the attack.",
        page="live_attack",
        part="attack",
        settings={"networks": [SATURATED], "attack": "FGSM", **DIGIT},
        figure=(SATURATED, TABLE_1),
    ),
    Scene(
        title="Change one word: its loss",
        says="From cross-entropy to margin, all else the same: of {sigmoid-mlp/saturated attacked} random test images "
        "{sigmoid-mlp/saturated left by the margin} are still right, not {sigmoid-mlp/saturated left}.",
        look="the same network, the same float32 autograd, one step. It moves, and it is fooled.",
        notes="The cross-entropy multiplies by one minus the probability of the right class, which is zero where the "
        "network is sure. The margin, the label's logit minus the largest other one, doesn't. Press X to go through "
        "the ways of taking the gradient, and the losses.",
        page="live_attack",
        part="attack",
        settings={"networks": [SATURATED], "attack": "FGSM", "objective": "margin", **DIGIT},
        figure=(SATURATED, ONE_WORD),
    ),
    Scene(
        title="The gradient was there all along",
        says="The cross-entropy's gradient, taken exactly, isn't zero but tiny: PGD along it leaves "
        "{sigmoid-mlp/saturated left by exact PGD} of {sigmoid-mlp/saturated attacked} random test images, and "
        "softened {sigmoid-mlp/saturated left by softened PGD}.",
        look="the gradient's size: deep in the red band, where float32 has only zero, and still it points the way.",
        notes="Nothing about the network was changed, only the arithmetic of the attacker. Softened: every derivative "
        "is taken at h/T, the forward pass is untouched. X: softened; and on.",
        page="live_attack",
        part="attack",
        settings={"networks": [SATURATED], "attack": "PGD", "gradient": "exact", **DIGIT},
        figure=(SATURATED, "PGD, cross-entropy, exact"),
    ),
    Scene(
        title="Nothing is left",
        says="Under all attacks together the saturated network gets {sigmoid-mlp/saturated left by all} right, and "
        "none of the paper's, as trained here, and no control more than {most left by all}.",
        look="the same attack by another loss, by another gradient, column by column; then the last one.",
        notes="All at the paper's ε. Square asks for no gradient at all, and transfer takes another network's: neither "
        "can stumble over an underflow. Point at a figure for its interval. Networks that are made to be proven right "
        "are left out here: they come with their proof, and stand in the whole page's table.",
        page="reality_check",
        part="ladder",
        figure=(SATURATED, "PGD, cross-entropy, softened"),
    ),
    Scene(
        title="In the ReLU MLP it wasn't even the penalty",
        says="The control has the same recipe with the penalty left out: after FGSM it gets "
        "{relu-mlp/control after FGSM} right, the saturated ReLU network {relu-mlp/saturated after FGSM}. In the "
        "sigmoid MLP it adds something: {sigmoid-mlp/control after FGSM} without, {sigmoid-mlp/saturated after FGSM} "
        "with it.",
        look="how pink and green overlap, seed by seed, in all but the kurtosis of layer 2. Ringed: the networks that "
        "ship.",
        notes="The recipe saturates without the penalty, too: the control's gradient is exactly zero on "
        "{relu-mlp/control zero gradients} of the images, the saturated network's on "
        "{relu-mlp/saturated zero gradients}. What it adds in the sigmoid MLP, and in the CNN, is more zeros.",
        page="over_seeds",
        part="dots",
        settings={"family": "relu-mlp", "alone": "true"},
        figure=("relu-mlp/control", TABLE_1),
    ),
    Scene(
        title="Saturation that is real, with its proof",
        says="Where each pixel passes a step before anything is summed there is no gradient either; but here "
        "{bounded proven} of {bounded images} test images are proven right, whatever the attack within ε = {epsilon}.",
        look="the same symptom twice, no gradient, no change; and then the verdict, with the image that proves it.",
        notes="Saturation was no bad idea. It has to begin where the attack begins, at the pixels; and a claim about "
        "all attacks takes a proof, not a list of attacks.",
        page="reality_check",
        part="proof",
        settings={"networks": [SATURATED, "{bounded}"]},
    ),
    Scene(
        title="Your digit, your network",
        says="Draw a digit, and watch the attack find its way; choose other networks, or bring your own.",
        look="which one falls first, and how far the image had to move.",
        notes="Let someone from the room draw; or all of it, where the dashboard was started by python -m satcore "
        "room: a code leads phones to a page to draw and vote on, and a press on a drawing attacks it. For another "
        "digit, another attack or other networks press P: the whole page. The page Networks takes ONNX files.",
        page="live_attack",
        part="attack",
        settings={"networks": [VANILLA, SATURATED], "pick": "draw one", "gradient": "softened"},
    ),
)


def story() -> list[Scene]:
    """The scenes whose figures are there, with these written in.

    Raises ValueError as `satcore.evaluation.reality.load`.
    """
    figures, told = quoted(), []
    for scene in SCENES:
        try:
            told.append(_with(scene, figures))
        except KeyError:  # a figure that isn't stored
            continue
    return told


def _with(scene: Scene, figures: dict[str, str]) -> Scene:
    """The `scene` with the `figures` written in. Raises KeyError where one isn't there."""

    def written(text: str) -> str:
        return text.format_map(figures)

    settings: Settings = {
        key: written(value) if isinstance(value, str) else [written(name) for name in value]
        for key, value in scene.settings.items()
    }
    texts = {name: written(getattr(scene, name)) for name in ("says", "look", "notes")}
    return replace(scene, settings=settings, **texts)
