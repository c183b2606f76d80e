"""What was computed about a network is kept under the network's hash, and shared by all sessions."""

import functools
from collections.abc import Callable
from typing import TypeVar, cast

import streamlit as st

from satcore import library

Compute = TypeVar("Compute", bound=Callable)


def copied(most: int) -> Callable[[Compute], Compute]:
    """Keep the `most` recent results of a function of a network's name, and hand out copies."""
    return lambda function: _under_its_hash(st.cache_data, function, most)


def shared(most: int) -> Callable[[Compute], Compute]:
    """As `copied`, but hand out the one object: nobody may write to it."""
    return lambda function: _under_its_hash(st.cache_resource, function, most)


def _under_its_hash(cache: Callable, function: Compute, most: int) -> Compute:
    @functools.wraps(function)
    def computed(sha256: str, _name: str, *arguments: object):
        return function(_name, *arguments)

    del computed.__wrapped__  # whose signature is another; Streamlit tells functions apart by their names
    kept = cache(max_entries=most, show_spinner=False)(computed)

    @functools.wraps(function)
    def asked(name: str, *arguments: object):
        return kept(library.describe(name).sha256, name, *arguments)

    return cast(Compute, asked)
