import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls, layer_figures, tables

st.title("What a layer tells apart")
st.markdown(
    "A thousand test images, a hundred of each digit: how dissimilar is each pair in the pixels, and in every layer "
    "of a network? Dark blocks on the diagonal: images of one digit look alike to it. Bright ones beside it: it tells "
    "digits apart."
)
with controls.one_readable_line():
    names = controls.there(checkpoints.names())
    networks, scale, seed = st.columns([10, 4, 4], gap="medium")
    with networks:
        pair = controls.two_networks(names)
    with scale:
        scale = controls.colour_scale()
    with seed:
        seed = controls.sample_seed()
pair = list(dict.fromkeys(pair))  # one network beside itself is one network

matrices, full, plane = st.tabs(
    ["Matrices", "One layer in full", "Two dimensions"], key="view", on_change="rerun", bind="query-params"
)

from satcore.dashboard import downloads, embedding_view, layers, rdm_view  # brings torch: the frame stands by now

with controls.one_readable_line(), matrices:
    if matrices.open:
        rdm_view.rdm_view({name: layers.blocks(name, seed) for name in pair}, layers.images(seed)[5::10], scale=scale)

        st.subheader("Layer by layer")
        found = {
            key: {name: layers.separation(name, key, seed) for name in pair} for key, *_ in layer_figures.SEPARATIONS
        }
        if len(pair) == 2:
            st.markdown(tables.figure_3(found["between"], found["ratio"]))
        first_row, second_row = st.columns(3), st.columns(3)
        for column, (key, title, unit, what) in zip(first_row, layer_figures.SEPARATIONS, strict=True):
            column.plotly_chart(layer_figures.by_layer(found[key], title, unit, log=True), key=key, alt=what)
            column.caption(what)
        with st.spinner("Looking into the layers with scikit-learn …"):
            columns = iter(second_row)
            for key, title, unit, what in layer_figures.READOUTS:
                values = {name: layers.readout(name, key, seed) for name in pair}
                with next(columns):
                    st.plotly_chart(layer_figures.by_layer(values, title, unit), key=key, alt=what)
                    st.caption(what)
        if len(pair) == 2:
            likeness = {" and ".join(pair): layers.likeness(*pair, seed)}
            figure = layer_figures.by_layer(likeness, "RSA: how alike they are", "correlation")
            second_row[2].plotly_chart(figure, key="rsa", alt=layer_figures.RSA)
            second_row[2].caption(layer_figures.RSA)

with controls.one_readable_line(), full:
    if full.open:
        layer = controls.layer(layers.shared(pair, seed))
        high = layers.highest(pair, layer, seed)
        for name, column in zip(pair, st.columns(2), strict=False):
            means = layers.class_means(name, layer, seed)
            column.plotly_chart(
                layer_figures.class_means(means, name, layer, high),
                key=f"means {name}",
                alt=f"Mean dissimilarity of every pair of digits in {layer} of {name}",
            )
            column.image(
                rdm_view.whole(layers.rdm(name, layer, seed).numpy(), high, scale),
                width="stretch",
                caption=f"All 1,000 × 1,000 pairs in {layer} of {name}",
            )
        downloads.of_rdms({name: layers.rdm(name, layer, seed) for name in pair}, layer, seed)

with controls.one_readable_line(), plane:
    if plane.open:
        left, right = st.columns(2)
        with left:
            method = controls.method()
        with right:
            digit = controls.attacked_digit()
        index = layers.index_of(digit, seed)
        embeddings, progress = {name: {} for name in pair}, st.progress(0.0)
        steps = [(name, layer) for name in pair for layer in layers.names_of(name, seed)]
        for done, (name, layer) in enumerate(steps):
            progress.progress(done / len(steps), text=f"{method} of {layer} of {name}")
            embeddings[name][layer] = layers.embedded(name, layer, method, seed, index)
        progress.empty()
        travels = {name: layers.travel(name, index) for name in pair}
        embedding_view.embedding_view(
            embeddings, travels, layers.images(seed), layers.labels(seed).numpy(), method=method
        )
        for name, travel in travels.items():
            st.markdown(f"**{name}**: {tables.travel(travel.predicted, travel.zero_gradient, layers.EPSILONS, digit)}")
        arrays = {f"{name}/{layer}": points for name, there in embeddings.items() for layer, points in there.items()}
        downloads.of_arrays(arrays, f"{method}-{seed}", downloads.embedding_code(pair, method, seed))
