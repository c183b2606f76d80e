import streamlit as st

from satcore.dashboard.interpolation import compute, controls, downloads, words
from satcore.dashboard.interpolation.path_view import path_view
from satcore.dashboard.interpolation.plane_figure import STYLE, plane_figure
from satcore.dashboard.shared import digits, pictures, stage
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.figures import draw
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.line_up import line_up
from satcore.dashboard.shared.style import NEUTRAL
from satcore.dashboard.shared.take_away import figure

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

stage.heading("Between two digits", words.INTRODUCTION)
with one_readable_line(), stage.controls():
    chosen = line_up()
    convolves = compute.convolves(chosen)
    left, middle, right, last = st.columns([12, 35, 38, 22], gap="small")
    with left:
        controls.papers_pairs()
    with right:
        how, common = controls.which_of_each(chosen)
    with middle:
        ends = (controls.corner("From", "source", 1, how, common), controls.corner("To", "target", 7, how, common))
    with last:
        scale = controls.scale()
        points = controls.points(convolves)

line, plane = st.tabs(["Line", "Plane"], key="view", on_change="rerun", bind="query-params")

jumps = words.jumps(digits.stepping(chosen))

with one_readable_line(), line:
    source, target = (digits.index_of(how, needs) for needs in ends)
    if line.open:
        paths = compute.paths(chosen, source, target, points)
        ends_at = digits.label_of(source), digits.label_of(target)
        with figure("line", downloads.of_paths(paths, source, target, points)):
            path_view(paths, chosen, *ends_at, scale=scale, plays=stage.on_stage())
        if len(paths) == len(chosen):
            stage.ends("Line")
        st.caption(f"{words.images(source, target)} {about_the_control(chosen)}")
        if jumps:
            st.caption(jumps)
        if len(paths) < len(chosen):
            st.rerun()

with one_readable_line(), plane:
    if plane.open:
        choice, size, images = st.columns([36, 18, 66], gap="medium", vertical_alignment="bottom")
        with choice:
            third = controls.corner("Third corner:", "third", 8, how, common)
        with size:
            side = controls.side(convolves)
        corners = (source, target, digits.index_of(how, third))
        labels = [digits.label_of(index) for index in corners]
        with images.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            for where, index, label in zip(controls.CORNERS, corners, labels, strict=True):
                st.image(pictures.digit(digits.image_of(index), NEUTRAL), width=56, alt=digits.with_article(label))
                st.caption(f"{where}: {digits.with_article(label)}", width="content")
        st.html(STYLE)
        planes = {}
        with figure("plane", downloads.of_planes(chosen, planes, corners, side)):
            columns = st.columns(max(2, len(chosen)))
        for (name, style), column in zip(chosen.items(), columns, strict=False):
            with column:
                progress = st.empty()
                for found in compute.plane(name, corners, side):
                    progress.progress(found.done, text=name)
                    planes[name] = found
                progress.empty()
                drawn = plane_figure(name, planes[name], labels, style.colour)
                draw(column, f"plane {name}", drawn, words.plane_alt(name, planes[name]))
        if jumps:
            st.caption(jumps)
