"""Real handwritten digits, embedded in scikit-learn: a raw data set that needs no download."""

from pathlib import Path

__all__ = ['NAMES', 'write_digits']

NAMES = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
"""Class folders. Their sorted order is not the digits' order, so a mistake in labels shows."""

SIDE = 32
"""Pixels of the images written; scikit-learn's have 8."""


def write_digits(folder: Path) -> None:
    """Write the 1,797 digits as PNG class folders, in two raw data sets of about 900 images.

    `folder`/digits_0_to_4/<name>/NNNN.png and `folder`/digits_5_to_9/<name>/NNNN.png, where NNNN is
    the image's place in `sklearn.datasets.load_digits`. Images have three equal channels and are
    enlarged by cubic interpolation in integer arithmetic, so that every machine writes the same.
    Writing again over an earlier or unfinished result gives the same files.

    Args:
        folder: Where the two folders go; it is made if need be.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits
    digits = load_digits()
    # The 17 grey levels 0 to 16 are spread over 0 to 255.
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for place, (pixels, digit) in enumerate(zip(grey, digits.target, strict=True)):
        part = 'digits_0_to_4' if digit <= 4 else 'digits_5_to_9'
        target = Path(folder) / part / NAMES[digit] / f'{place:04d}.png'
        target.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        image.convert('RGB').save(target)
