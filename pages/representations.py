import streamlit as st

from satcore.dashboard.representations import compute, controls, downloads, figures, words
from satcore.dashboard.representations.embedding_view import embedding_view
from satcore.dashboard.representations.rdm_view import fitting, rdm_view, whole
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.each import each
from satcore.dashboard.shared.figures import draw
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.legend import legend
from satcore.dashboard.shared.line_up import line_up
from satcore.dashboard.shared.take_away import figure

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

stage.heading("What a layer tells apart", words.INTRODUCTION)
above = stage.controls()
with one_readable_line(), above:
    chosen = line_up()

matrices, full, plane = st.tabs(
    ["Matrices", "One layer in full", "Two dimensions"], key="view", on_change="rerun", bind="query-params"
)
with above:
    left, right, _ = st.columns([1, 1, 2], gap="medium")
    with left:
        seed = controls.sample_seed()
    with right:
        asked = "" if plane.open else controls.colour_scale()

about = about_the_control(chosen)
with one_readable_line(), matrices:
    if matrices.open:
        blocks = each(chosen, lambda name: compute.blocks(name, seed))
        with figure("matrices", downloads.of_matrices(blocks, seed)):
            scale = fitting(asked, (there.max() for layers in blocks.values() for there in layers.values()))
            rdm_view(blocks, chosen, compute.images_of_blocks(seed), scale=scale)

        st.subheader("Layer by layer")
        found = {key: {name: compute.separation(name, key, seed) for name in blocks} for key in figures.SEPARATIONS}
        st.markdown(words.figure_3(found["between"], found["ratio"], chosen))
        with figure("separations", downloads.of_layers(found, list(blocks), seed)):
            legend({name: chosen[name] for name in blocks})
            rows = [*st.columns(3), *st.columns(3)]
        for (key, curve), column in zip(figures.SEPARATIONS.items(), rows[:3], strict=True):
            figures.draw(column, key, curve, found[key], chosen)
        with st.spinner("Looking into the layers with scikit-learn …"):
            for (key, curve), column in zip(figures.READOUTS.items(), rows[3:5], strict=True):
                found[key] = {name: compute.readout(name, key, seed) for name in blocks}
                figures.draw(column, key, curve, found[key], chosen)
        reference, *others = blocks
        if others:
            found["rsa"] = {name: compute.likeness(reference, name, seed) for name in others}
            figures.draw(rows[5], "rsa", figures.likeness(chosen[reference]), found["rsa"], chosen)

with one_readable_line(), full:
    if full.open:
        layer = controls.layer(compute.shared(chosen))
        rdms = each(chosen, lambda name: compute.rdm(name, layer, seed))
        largest = [float(rdm.max()) for rdm in rdms.values()]
        high, scale = max(largest), fitting(asked, largest)
        with figure("rdms", downloads.of_rdms(rdms, layer, seed)):
            columns = [*st.columns(2), *st.columns(2)]
        for (name, rdm), column in zip(rdms.items(), columns, strict=False):
            label, means = chosen[name].label, compute.class_means(name, layer, seed)
            drawn = figures.class_means(means, chosen[name], layer, high, scale)
            draw(column, f"means {name}", drawn, words.class_means(means, label, layer))
            caption = words.all_pairs(layer, label, scale)
            column.image(whole(rdm.numpy(), high, scale), width="stretch", caption=caption, alt=caption)
        st.caption(about)

with one_readable_line(), plane:
    if plane.open:
        left, right = st.columns(2)
        with left:
            method = controls.method()
        with right:
            digit = controls.attacked_digit()
        index = compute.index_of(digit, seed)
        embeddings = each(chosen, lambda name: compute.embeddings(name, method, seed, index))
        travels = {name: compute.travel(name, index) for name in embeddings}
        images, labels = compute.images(seed), compute.labels(seed).numpy()
        with figure("embeddings", downloads.of_embeddings(embeddings, method, seed, index)):
            embedding_view(embeddings, travels, chosen, images, labels, method=method)
        st.caption(words.PLANE.format(farthest=compute.EPSILONS[-1]))
        for name, travel in travels.items():
            says = words.travel(travel.predicted, travel.zero_gradient, compute.EPSILONS, digit)
            st.markdown(f"**{chosen[name].label}**: {says}")
        st.caption(about)
