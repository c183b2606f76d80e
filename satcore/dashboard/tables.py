"""What the stored measurements say, as sentences and as rows."""

import pandas as pd

SHOWN = "sigmoid-mlp/saturated"  # the network that the paper is mostly about


def story(measured: dict[str, dict]) -> str:
    """What this is, in two sentences; the second, where the network it is about is there, in figures of our own."""
    first = ("Nayebi & Ganguli ([2017](https://arxiv.org/abs/1703.09202)) train networks with a penalty that drives every "
             "unit into the flat part of its nonlinearity, and report 94–98 % accuracy under attack.")
    if SHOWN not in measured or measured[SHOWN]["fgsm_accuracy"] == 0:
        return first
    m = measured[SHOWN]
    share = m["right_unmoved"] / m["fgsm_accuracy"]
    return (f"{first} So does the one trained here, {100 * m['fgsm_accuracy']:.1f} %, but **{100 * share:.1f} % of those "
            "images were never changed at all**: the gradient that the attack follows had underflowed to exactly zero.")


def table_1(measured: dict[str, dict], published: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Table 1, a row a network, in percent; no figure where the paper has none."""
    return pd.DataFrame([
        {"network": name,
         "clean, ours (%)": round(100 * m["accuracy"], 2), "clean, paper (%)": published.get(name, (None, None))[0],
         "FGSM, ours (%)": round(100 * m["fgsm_accuracy"], 2), "FGSM, paper (%)": published.get(name, (None, None))[1],
         "gradient exactly zero (%)": round(100 * m["zero_gradient"], 2),
         "excess kurtosis of the weights, by layer": ", ".join(f"{k:.1f}" for k in m["kurtosis"])}
        for name, m in measured.items()])
