"""Table 1 as it is objected to: after FGSM by another loss, or with its gradient taken in another way."""

from satcore.dashboard.home import compute

AS_PUBLISHED = "Test images classified correctly (%)"
OTHERWISE = "Right after FGSM by the {loss}, gradient {way}: of {images} random test images (%)"


def shown(measured: dict[str, dict], objection: tuple[str, str] | None) -> tuple[dict[str, dict], str]:
    """The measurements, and what they are of: as published, or by the loss and the way of an `objection`.

    Then they are what the ladder has left, of networks on which it was climbed, with its "rung" and number of "images";
    nothing is said of zero gradients.
    """
    if objection is None:
        return measured, AS_PUBLISHED
    loss, way = objection
    # Where neither a slope nor the loss can be softened, softened is exact.
    left = {}
    for rung in dict.fromkeys((f"FGSM, {loss}, {'exact' if way == 'softened' else way}", f"FGSM, {loss}, {way}")):
        left |= {name: (rung, share) for name, share in compute.left(measured, rung).items()}
    images = " or ".join(f"{count:,}" for count in sorted({share.total for _, share in left.values()}))
    otherwise = {
        name: there | {"fgsm_accuracy": share.share, "right_unmoved": 0.0, "rung": rung, "images": share.total}
        for name, there in measured.items()
        if name in left
        for rung, share in [left[name]]
    }
    return otherwise, OTHERWISE.format(loss=loss, way=way, images=images)
