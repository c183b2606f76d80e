import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls, tables

st.title("Inside the weights")
st.markdown(
    "Saturation needs large weights: a few reach far, most stay near zero. What that does to the distribution of the "
    "weights, to the units' inputs, and why, in a linear classifier at least, it makes small perturbations count for less."
)
with controls.one_readable_line():
    pair = list(dict.fromkeys(controls.two_networks(controls.there(checkpoints.names()))))

distribution, inputs, mechanism = st.tabs(
    ["Weights", "Pre-activations", "A linear mechanism"], key="view", on_change="rerun", bind="query-params"
)

from satcore.dashboard import (
    distributions,
    downloads,
    weight_figures,
)  # brings torch, which takes seconds: the frame stands by now

with controls.one_readable_line(), distribution:
    if distribution.open:
        shapes, standardised = {name: distributions.shapes(name) for name in pair}, controls.standardised()
        if len(pair) == 2:
            st.markdown(tables.figure_1({name: [shape.kurtosis for shape in there] for name, there in shapes.items()}))
        for layer, column in tables.layers(shapes):
            there = {name: layers[layer] for name, layers in shapes.items() if layer < len(layers)}
            column.plotly_chart(
                weight_figures.weights(there, f"Layer {layer + 1}", standardised=standardised),
                key=f"weights {layer}",
                alt=f"Density of the weights of layer {layer + 1}",
            )
        st.caption(
            "Dotted: the Gaussian of the same variance. Where the solid line lies above it, far out, the tails are heavy."
        )
        st.dataframe(tables.shapes(shapes), hide_index=True, key="shapes")
        downloads.of_histograms(shapes, "weights", downloads.weights_code(pair))

with controls.one_readable_line(), inputs:
    if inputs.open:
        exponent = controls.saturation_threshold()
        found, progress = {}, st.empty()
        for name in pair:
            progress.progress(0.0, text=f"{name}: how far they reach")
            for found[name] in distributions.saturation(name):
                progress.progress(found[name][0].done, text=f"{name}: all 10,000 test images")
        progress.empty()
        for layer, column in tables.layers(found):
            there = {name: layers[layer].histogram for name, layers in found.items() if layer < len(layers)}
            column.plotly_chart(
                weight_figures.pre_activations(there, f"Layer {layer + 1}"),
                key=f"inputs {layer}",
                alt=f"Density of the pre-activations of layer {layer + 1} over all test images",
            )
            column.markdown(tables.saturated(found, layer, exponent))
        downloads.of_histograms(found, "pre-activations", downloads.saturation_code(pair))

with controls.one_readable_line(), mechanism:
    if mechanism.open:
        st.markdown(
            "Two classes, two prototypes w₁ and w₂; the image is w₁ itself. It takes a perturbation of "
            "ε_min = ‖w₁‖₂² / ‖w₂ − w₁‖₁ in every pixel to fool the classifier (Eq. 14)."
        )
        curve, own = st.columns(2, gap="large")
        ratios = distributions.sampled()
        curve.subheader("Heavier tails, larger perturbations")
        curve.plotly_chart(
            weight_figures.mechanism(*distributions.curve(), distributions.KURTOSES, ratios.means, ratios.errors),
            key="mechanism",
            alt="The scaled ratio of Eq. 14 against excess kurtosis",
        )
        curve.caption(tables.mechanism(ratios.means, distributions.largest_limit()))
        own.subheader("Drawn from the trained layers")
        layers = {name: distributions.of_layers(name) for name in pair}
        own.plotly_chart(
            weight_figures.layer_ratios({name: (found.means, found.errors) for name, found in layers.items()}),
            key="own",
            alt="The scaled ratio of prototypes drawn from each layer's own weights",
        )
        own.caption(tables.own_ratios({name: found.means for name, found in layers.items()}))
        st.subheader("Try it")
        kurtosis, seed = controls.prototypes()
        drawn = distributions.prototypes(kurtosis, seed)
        st.plotly_chart(weight_figures.prototypes(drawn.first, drawn.second), key="prototypes", alt="Two prototypes")
        for column, (label, value, meaning) in zip(
            st.columns(3), tables.prototypes(drawn.epsilon_min, drawn.strength), strict=True
        ):
            column.metric(label, value, help=meaning)
        downloads.of_arrays(
            distributions.figure_6(pair), "linear-mechanism", downloads.mechanism_code(pair, distributions.PAIRS)
        )
