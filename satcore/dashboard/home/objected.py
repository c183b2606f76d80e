"""Table 1 as it is objected to: after FGSM by another loss, or with its gradient taken in another way."""

from satcore.dashboard.home import compute

AS_PUBLISHED = "Test images classified correctly (%)"
OTHERWISE = "Right after FGSM by the {loss}, gradient {way}: of {images} random test images (%)"


def shown(measured: dict[str, dict], objection: tuple[str, str] | None) -> tuple[dict[str, dict], str]:
    """The measurements, and what they are of: as published, or by the loss and the way of an `objection`.

    Then they are what the ladder has left, of networks on which it was climbed; nothing is said of zero gradients.
    """
    if objection is None:
        return measured, AS_PUBLISHED
    loss, way = objection
    # Where neither a slope nor the loss can be softened, softened is exact.
    left = compute.left(measured, f"FGSM, {loss}, exact") if way == "softened" else {}
    left |= compute.left(measured, f"FGSM, {loss}, {way}")
    images = " or ".join(f"{count:,}" for count in sorted({share.total for share in left.values()}))
    otherwise = {
        name: there | {"fgsm_accuracy": left[name].share, "right_unmoved": 0.0}
        for name, there in measured.items()
        if name in left
    }
    return otherwise, OTHERWISE.format(loss=loss, way=way, images=images)
