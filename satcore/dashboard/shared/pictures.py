"""Digits and perturbations as arrays of pixels, large enough that a browser need not blur them."""

import numpy as np

SCALE, FRAME, GAP = 8, 8, 16
RAISED, LOWERED = (230, 120, 0), (40, 110, 220)  # told apart by colour-blind people too


def digit(image: np.ndarray, frame: str) -> np.ndarray:
    """An image (28, 28) in [0, 1] as RGBA (240, 240, 4) uint8, framed in the colour `frame`, "#rrggbb"."""
    grey = (255 * image).round().astype(np.uint8)
    return _framed(np.stack((grey, grey, grey, np.full_like(grey, 255)), axis=2), frame)


def attacked(before: np.ndarray, after: np.ndarray, frame: str) -> np.ndarray:
    """The image `after` an attack, and beside it what was changed, as RGBA (240, 496, 4) uint8.

    Both images are (28, 28) in [0, 1]. The change is magnified until the largest is opaque, orange where the
    pixel was raised, blue where it was lowered; where nothing changed, nothing is drawn.
    """
    change = after - before
    colours = np.where((change > 0)[..., None], RAISED, LOWERED)
    opacity = 255 * np.abs(change) / (np.abs(change).max() or 1)
    difference = np.concatenate((colours, opacity[..., None]), axis=2).round().astype(np.uint8)
    gap = np.zeros((28 * SCALE + 2 * FRAME, GAP, 4), np.uint8)
    return np.concatenate((digit(after, frame), gap, _framed(difference, frame)), axis=1)


def gradients(directions: list[np.ndarray], frame: str) -> np.ndarray:
    """Gradients (28, 28) side by side as RGBA uint8: orange where it is positive, blue where negative, on black.

    Each is drawn full at its largest entry, the root of smaller ones; what is exactly zero stays black.
    """
    gap, pictures = np.zeros((28 * SCALE + 2 * FRAME, GAP, 4), np.uint8), []
    for direction in directions:
        brightness = np.sqrt(np.abs(direction) / (np.abs(direction).max() or 1))[..., None]
        colours = np.where((direction > 0)[..., None], RAISED, LOWERED) * brightness
        opaque = np.concatenate((colours, np.full_like(brightness, 255)), axis=2).round().astype(np.uint8)
        pictures += [gap, _framed(opaque, frame)]
    return np.concatenate(pictures[1:], axis=1)


def _framed(pixels: np.ndarray, frame: str) -> np.ndarray:
    enlarged = pixels.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    picture = np.empty((28 * SCALE + 2 * FRAME, 28 * SCALE + 2 * FRAME, 4), np.uint8)
    picture[:] = (*bytes.fromhex(frame.removeprefix("#")), 255)
    picture[FRAME:-FRAME, FRAME:-FRAME] = enlarged
    return picture
