import streamlit as st

from satcore.dashboard.shared import stage
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.each import each
from satcore.dashboard.shared.figures import draw
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.layers import in_order
from satcore.dashboard.shared.legend import legend
from satcore.dashboard.shared.line_up import line_up
from satcore.dashboard.shared.take_away import figure
from satcore.dashboard.weights import compute, controls, downloads, figures, words

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

stage.heading("Inside the weights", words.INTRODUCTION)
controls.follow_old_link()
with one_readable_line(), stage.controls():
    chosen = line_up()
saturation, distribution, inputs, mechanism = st.tabs(
    controls.VIEWS, key="view", on_change="rerun", bind="query-params"
)

with one_readable_line(), saturation:
    if saturation.open:
        curves = each(chosen, compute.curves)
        with stage.controls("curves"):
            what, which = st.columns([5, 1], gap="large")
            what.markdown(words.SATURATION)
            with which:
                layer = controls.layer(in_order([list(there) for there in curves.values()]))
        with figure("curves", downloads.of_curves(curves)):
            figures.draw_curves(curves, layer, chosen)
        stage.ends("Saturation")
        st.caption(words.ON_THE_CURVE)
        st.markdown(about_the_control(chosen))

with one_readable_line(), distribution:
    if distribution.open:
        standardised, shapes = controls.standardised(), each(chosen, compute.shapes)
        st.markdown(words.figure_1(shapes, chosen))
        with figure("weights", downloads.of_shapes(shapes)):
            legend({name: chosen[name] for name in shapes})
            for layer, column, there in controls.by_layer(shapes):
                drawn = figures.weights(there, chosen, f"Layer {layer}", standardised=standardised)
                draw(column, f"weights {layer}", drawn, words.weights_alt(there, chosen, layer))
        st.caption(words.GAUSSIAN)
        st.dataframe(words.shapes(shapes), hide_index=True, key="shapes")

with one_readable_line(), inputs:
    if inputs.open:
        exponent = controls.saturation_threshold()
        found = each(chosen, compute.saturation)
        with figure("inputs", downloads.of_saturation(found)):
            legend({name: chosen[name] for name in found})
            for layer, column, there in controls.by_layer(found):
                drawn = figures.pre_activations(there, chosen, f"Layer {layer}")
                says = words.saturated(there, chosen, exponent)
                draw(column, f"inputs {layer}", drawn, f"Layer {layer}. {words.plain(says)}")
                column.markdown(says)
        st.caption(words.COUNTED)
        st.markdown(about_the_control(chosen))

with one_readable_line(), mechanism:
    if mechanism.open:
        st.markdown(words.MECHANISM)
        layers = each(chosen, compute.of_layers)
        with figure("mechanism", downloads.of_mechanism(compute.figure_6(layers), list(layers))):
            curve, own = st.columns(2, gap="large")
        ratios, limit = compute.sampled(), compute.largest_limit()
        curve.subheader("Heavier tails, larger perturbations")
        says = words.mechanism(ratios.means, limit)
        drawn = figures.mechanism(*compute.curve(), compute.KURTOSES, ratios)
        draw(curve, "mechanism", drawn, f"Eq. 14 against kurtosis. {says}")
        curve.caption(says)
        own.subheader("Drawn from the trained layers")
        with own:
            legend({name: chosen[name] for name in layers})
        says = words.own_ratios({name: found.means for name, found in layers.items()}, chosen)
        draw(own, "own", figures.layer_ratios(layers, chosen), f"Eq. 14 by layer. {words.plain(says)}")
        own.markdown(says)
        st.subheader("Try it")
        kurtosis, seed = controls.prototypes()
        drawn = compute.prototypes(kurtosis, seed)
        shown, says = figures.prototypes(drawn.first, drawn.second), words.prototypes_alt(drawn.first, drawn.second)
        draw(st.container(), "prototypes", shown, says)
        metrics = words.prototypes(drawn.epsilon_min, drawn.strength)
        for column, (label, value, meaning) in zip(st.columns(3), metrics, strict=True):
            column.metric(label, value, help=meaning)
