"""Which networks a page shows: up to four of all shelves, in the address, and the paper's line-ups a press away."""

import streamlit as st

from satcore import library
from satcore.dashboard.shared import digits
from satcore.dashboard.shared.guard import one_sentence
from satcore.dashboard.shared.style import FAMILY_TITLES, Style, styles
from satcore.library import Card
from satcore.recipes import PAPER_TRAININGS

KEY, MOST, REMEMBERED = "networks", 4, "line-up"
LONGEST = 70  # letters of a name, with what it begins with and its suffix; longer ones in a link are nobody's
OLD_KEYS = ("family", "left", "right", "eyes")  # of links from before there were line-ups


def line_up() -> dict[str, Style]:
    """The networks chosen, each with its style, in the order in which they are shown.

    Those whose weights are damaged are left out, with a sentence each. Raises ValueError where there is no network on
    any shelf, or none is chosen.
    """
    cards = library.catalogue().cards
    if not cards:
        raise ValueError("expected trained networks, got none: train them with `python -m satcore train --all`")
    presets = _presets(cards)
    _follow_old_link(list(cards), presets)
    asked = [name for name in dict.fromkeys(st.query_params.get_all(KEY)) if name]
    first = next(iter(presets.values()), list(cards)[:MOST])
    _remember(first, list(cards))
    choice, presses = st.columns([10, 7], vertical_alignment="bottom", gap="small")
    chosen = choice.multiselect(
        "Networks, up to four", list(cards), first, key=KEY, bind="query-params", max_selections=MOST
    )
    with presses.container(horizontal=True, gap="xsmall"):
        for title, names in presets.items():
            st.button(title, key=f"line-up {title}", on_click=_choose, args=(names,), type="tertiary")
    for said in _not_shown(asked, list(cards)):
        st.warning(said, icon=":material/info:")
    digits.refuse_unknown()
    st.session_state[REMEMBERED] = chosen
    if not chosen:
        raise ValueError("expected one to four networks to show, got none: choose some, or press a line-up")
    there = {}
    for name, style in styles(cards[name] for name in chosen).items():
        with one_sentence():
            digits.network(name)
            there[name] = style
    if not there:
        st.stop()
    return there


def in_the_eyes_of(chosen: dict[str, Style]) -> str:
    """The network whose confidence chooses an image unless another is asked for: the saturated one, else the first."""
    cards = library.catalogue().cards
    return next((name for name in chosen if cards[name].training == "saturated"), next(iter(chosen)))


def _not_shown(asked: list[str], names: list[str]) -> list[str]:
    """A sentence each on the networks `asked` for that there aren't, and on those that are more than four."""
    unknown, more = [name for name in asked if name not in names], [name for name in asked if name in names][MOST:]
    said = [("Not on this machine", unknown), ("At most four are shown; left out", more)]
    return [f"{what}: {_listed(those)}." for what, those in said if those]


def _listed(names: list[str]) -> str:
    """The first four of the `names`, whole, and how many more there are."""
    shown = [f"`{name if len(name) <= LONGEST else f'{name[: LONGEST - 1]}…'}`" for name in names[:MOST]]
    return ", ".join(shown) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _presets(cards: dict[str, Card]) -> dict[str, list[str]]:
    """The paper's families; vanilla beside saturated in each; and the latest of the user's own networks."""
    shipped = [card for card in cards.values() if card.shipped]
    found = {}
    for family, title in FAMILY_TITLES.items():
        found[title] = [card.name for card in shipped if card.group == family and card.training in PAPER_TRAININGS]
    pairs = [card.name for card in shipped if card.training in ("vanilla", "saturated") and card.group != "cnn"]
    found["vanilla | saturated"] = pairs
    found["saturated | dendritic"] = [card.name for card in shipped if card.training in ("saturated", "dendritic")]
    found["Your own"] = sorted((name for name, card in cards.items() if not card.shipped), key=_kept_since)[-MOST:]
    return {title: names[:MOST] for title, names in found.items() if names}


def _kept_since(name: str) -> float:
    """When the network `name` was put on its shelf: its weights are never written again; 0 where it is gone by now."""
    try:
        return (library.folder_of(name) / library.WEIGHTS).stat().st_mtime
    except (ValueError, OSError):
        return 0.0


def _choose(names: list[str]) -> None:
    st.session_state[KEY] = names


def _remember(first: list[str], names: list[str]) -> None:
    """Take the line-up along to the next page; Streamlit forgets what was only asked for by a link.

    Where nothing is left of it, begin with the `first` one again.
    """
    remembered = [name for name in st.session_state.get(REMEMBERED, first) if name in names] or first
    chosen = st.session_state.get(KEY)
    if st.session_state.get("page turned") and KEY not in st.query_params and remembered != first:
        st.session_state[KEY] = st.query_params[KEY] = remembered
    elif chosen and not set(chosen) & set(names):  # all of it has been taken away meanwhile
        st.session_state[KEY] = remembered


def _follow_old_link(names: list[str], presets: dict[str, list[str]]) -> None:
    """Put what an older link asks for where it belongs now: `family`, `left` and `right`, `eyes`, names with commas."""
    asked = st.query_params
    old = [key for key in OLD_KEYS if key in asked]
    listed = [name for value in asked.get_all(KEY) for name in value.split(",")]
    if not old and len(listed) == len(asked.get_all(KEY)):
        return
    family = asked.get("family", next(iter(FAMILY_TITLES)))
    wanted = presets.get(FAMILY_TITLES.get(family, ""), []) if "family" in asked else []
    wanted = [*wanted, *asked.get_all("left"), *asked.get_all("right"), *listed]
    found = [name for name in dict.fromkeys(wanted) if name in names or name in filter(None, listed)]
    others = {key: asked.get_all(key) for key in asked if key not in old}
    if "eyes" in asked:
        others["judge"] = [f"{family}/{asked['eyes']}"]
    asked.from_dict(others | {KEY: found})
    st.rerun()  # with that address
