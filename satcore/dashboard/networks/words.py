"""What the page of networks says of each of them."""

import re

from satcore import library, networks
from satcore.library import Card

INTRODUCTION = (
    "Every network there is, each on every page beside any others: those that ship, and your own, trained here or "
    "brought along."
)
MEASURED = (
    "*Right*: test images classified correctly. *After FGSM*: the same after FGSM as published, one step of ε along "
    "the sign of the gradient of the cross-entropy that float32 autograd gives. *Before and after*: without the images "
    "that were wrong and that FGSM puts right. *Zero gradient*: that one is exactly zero, and nothing is changed. "
    "*Excess kurtosis*: of the weights, layer by layer."
)
UPLOAD = (
    "Dense, convolutional and pooling layers, normalisation, and sigmoid, tanh, ReLU or a ramp: one image of 28 × 28 "
    "pixels in [0, 1] in, ten logits out. At most 16 MB."
)
SHARED = (
    "What is uploaded is kept on your own shelf, a folder of this machine: every session on this machine sees it, and "
    "can take it away again."
)
CODE = """from torch import nn
from satcore import library, outside

module = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.Tanh(), nn.Linear(100, 10))  # and train it
network = outside.from_module(module)  # or outside.from_onnx("network.onnx")
print(library.add(network, "my network"))
"""
CALL_IT = "What to call it"
AS_THE_FILE = "as its file is called"
SHIPPED, OWN, EVERY = "ships", "your own", "all"
NO_GROUP = "no group"


def shelf_of(card: Card) -> str:
    """Which shelf the network is on."""
    return SHIPPED if card.shipped else OWN


def group_of(card: Card) -> str:
    """The network's group."""
    return card.group or NO_GROUP


def where_from(card: Card) -> str:
    """Which shelf it is on, what it belongs to and where it comes from, as text without markup."""
    belongs = [word for word in (card.group, card.training) if word]
    shelf = "ships" if card.shipped else "on your own shelf"
    return " · ".join([shelf, *belongs, card.history])[:300]


def architecture(card: Card) -> str:
    """The architecture in words."""
    return networks.described(card.architecture)


def table(card: Card) -> str:
    """What was measured, as a table in Markdown."""
    m = card.measurements
    columns = {
        "right": f"**{100 * m['accuracy']:.2f}\N{NO-BREAK SPACE}%**",
        "after FGSM": f"**{100 * m['fgsm_accuracy']:.2f}\N{NO-BREAK SPACE}%**",
        "zero gradient": f"**{100 * m['zero_gradient']:.2f}\N{NO-BREAK SPACE}%**",
        "excess kurtosis": ", ".join("–" if k is None else f"{k:.1f}".replace("-", "−") for k in m["kurtosis"]) or "–",
    }
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), columns.values()))


def measured_on(card: Card) -> str:
    """On how many images that was, how large FGSM's step, and how many are right before as well as after it."""
    m = card.measurements
    both = f"; before and after {100 * m['fgsm_withstood']:.2f}\N{NO-BREAK SPACE}%" if "fgsm_withstood" in m else ""
    return f"{m['images']:,} test images, ε = {m['epsilon']:g}{both}"


def name_of(file: str) -> str:
    """The name of an uploaded `file` as its owner has it: browsers send three characters of it as %22, %0D and %0A."""
    return re.sub("%(22|0D|0A)", lambda found: chr(int(found[1], 16)), file)


def label_of(file: str) -> str:
    """What a `file` is to be called: what is left of its name, or "network" where nothing is."""
    stem = re.sub(r"\.onnx$", "", file, flags=re.IGNORECASE)
    try:
        return library.slug(stem)
    except ValueError:
        return "network"


def origin_of(file: str) -> str:
    """Where a network comes from that was uploaded as a `file` of this name."""
    printable = "".join(letter for letter in file if letter.isprintable())
    return f"ONNX file {printable[:100]}, uploaded"


def brought(name: str, wanted: str, known: bool) -> str:
    """Where the uploaded network has gone that was to be called `wanted`."""
    if known:
        return f"This very network is there already, as **{name}**."
    if name != wanted:
        return f"Kept as **{name}**: another network is called {wanted}, and nothing is overwritten."
    return f"Kept as **{name}**."


def counted(shown: int, there: int) -> str:
    """How many networks are shown of how many."""
    return f"{there} networks" if shown == there else f"{shown} of {there} networks"
