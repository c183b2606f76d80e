"""Digits and perturbations as arrays of pixels, large enough that a browser need not blur them."""

import numpy as np

SCALE, FRAME = 8, 8
RAISED, LOWERED = (230, 120, 0), (40, 110, 220)  # told apart by colour-blind people too


def digit(image: np.ndarray, frame: str) -> np.ndarray:
    """An image (28, 28) in [0, 1] as RGB (240, 240, 3) uint8, framed in the colour `frame`, "#rrggbb"."""
    grey = _enlarge((255 * image).round().astype(np.uint8))
    picture = np.empty((grey.shape[0] + 2 * FRAME, grey.shape[1] + 2 * FRAME, 3), np.uint8)
    picture[:] = tuple(bytes.fromhex(frame.removeprefix("#")))
    picture[FRAME:-FRAME, FRAME:-FRAME] = grey[..., None]
    return picture


def perturbation(change: np.ndarray, full_scale: float) -> np.ndarray:
    """A change of pixels (28, 28) as RGBA (240, 240, 4) uint8: orange where raised, blue where lowered.

    Opaque where |change| reaches `full_scale`, which is to be positive, and transparent where nothing changed.
    """
    colours = np.where((change > 0)[..., None], RAISED, LOWERED)
    opacity = 255 * np.clip(np.abs(change) / full_scale, 0, 1)
    picture = _enlarge(np.concatenate((colours, opacity[..., None]), axis=2).round().astype(np.uint8))
    return np.pad(picture, ((FRAME, FRAME), (FRAME, FRAME), (0, 0)))  # as large as the digit beside it


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
