import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls

st.title("Between two digits")
st.markdown(
    "Walk in a straight line from one image to another: where does a network's answer change, and how fast? The "
    "*length element* is how far the answer moves for a small step, in the Fisher–Rao metric. "
    "A saturated network holds its answer, then jumps; mostly so does the control, trained alike without the penalty."
)
with controls.one_readable_line():
    first, second, third, fourth = st.columns([27, 40, 35, 21], gap="small")
    with first:
        family, names = controls.family(checkpoints.names())
        controls.papers_pairs()
    with third:
        how, common = controls.which_of_each(names)
    with second:
        ends = (controls.corner("From", "source", 1, how, common), controls.corner("To", "target", 7, how, common))
    with fourth:
        scale = controls.scale()
        points = controls.points(family)

line, plane = st.tabs(["Line", "Plane"], key="view", on_change="rerun", bind="query-params")

from satcore.dashboard import (
    downloads,
    figures,
    live,
    path_view,
    pictures,
    plane_figure,
)  # brings torch: the frame stands by now

with controls.one_readable_line(), line:
    source, target = (live.index_of(how, needs) for needs in ends)
    if line.open:
        paths = live.paths(names, source, target, points)
        path_view.path_view(
            paths, names, live.label_of(source), live.label_of(target), scale=scale, file=f"{family}-{source}-{target}"
        )
        downloads.of_paths(paths, source, target, points)
        if len(paths) < len(names):
            st.rerun()

with controls.one_readable_line(), plane:
    if plane.open:
        choice, size, images = st.columns([40, 20, 60], gap="medium", vertical_alignment="center")
        with choice:
            third = controls.corner("Third corner:", "third", 8, how, common)
        with size:
            side = controls.grid(family)
        corners = (source, target, live.index_of(how, third))
        with images:
            captions = [
                f"{where}: a {live.label_of(index)}" for where, index in zip(controls.CORNERS, corners, strict=True)
            ]
            st.image([pictures.digit(live.image_of(index), figures.NEUTRAL) for index in corners], captions, width=110)
        planes = {}
        for name, column in zip(names, st.columns(len(names)), strict=True):
            with column:
                progress = st.empty()
                for planes[name] in live.plane(name, corners, side):
                    progress.progress(planes[name].done, text=name)
                progress.empty()
                figure = plane_figure.plane(name, planes[name], [live.label_of(index) for index in corners])
                st.plotly_chart(figure, key=f"plane {name}", alt=f"The plane of three images as {name} sees it")
        downloads.of_planes(planes, corners, side)
