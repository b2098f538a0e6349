"""Everything that can be said of a source: the words for it, for the manifest and for the screen.

A kind says what was found. Whether it stops a preparation is said by `amlnn.data.prepare.accept`.
"""

__all__ = ['IMBALANCE', 'KINDS', 'LONG_SIDES', 'PIXEL_LIMIT', 'SMALLEST_SIDE']

SMALLEST_SIDE = 8
"""Pixels. Smaller ones are tracking pixels and placeholders of web pages."""

PIXEL_LIMIT = 100_000_000
"""Pixels. Larger ones take 300 MB each while they are read, in every worker."""

LONG_SIDES = 8
"""How many times its shorter side the longer side of an image may have."""

IMBALANCE = 10
"""How many times the images of a class the largest class may have."""

KINDS = {
    'hidden': 'hidden or made by the operating system',
    'stray': 'a file beside the class folders',
    'link': 'a symbolic link, copied as the file it leads to',
    'empty-class': 'a class folder without files',
    'few-images': 'a class with very few images',
    'imbalance': f'a class with at most 1/{IMBALANCE} of the images of the largest',
    'nested-folder': 'a folder inside a class folder',
    'name': 'a name that a list file cannot hold',
    'case': 'a name that a Mac or Windows cannot tell from another',
    'unreadable': 'cannot be opened',
    'empty-file': 'no content',
    'not-an-image': 'not an image',
    'truncated': 'an image cut short',
    'corrupt': 'a damaged image',
    'damaged': 'a JPEG with damage inside, which training would read as a picture',
    'animated': 'more than one frame; training sees only the first',
    'tiny': f'a side below {SMALLEST_SIDE} pixels',
    'large': 'more pixels than --pixel-limit',
    'constant': 'one colour everywhere',
    'extension': 'an image whose extension training would pass over',
    'copy': 'the same image as another of its class',
    'label-conflict': 'the same image in several classes',
    'part-copy': 'the same image in several parts',
    'near-copy': 'nearly the same image as another of its class',
    'near-conflict': 'nearly the same image in several classes',
    'near-part-copy': 'nearly the same image in several parts',
    'depth': 'more than 8 bits, of which training on 8 would see little or nothing',
    'deep': 'more than 8 bits, of which training sees the upper 8',
    'alpha': 'a drawing in its transparency alone, of one colour without it',
    'difference': 'differs from another only in what training cannot see',
    'transparent': 'transparent parts, which training sees on white',
    'opaque-alpha': 'an alpha channel that hides nothing; training passes over it',
    'palette': 'a palette; training sees its colours',
    'cmyk': 'inks (CMYK), which training turns into colours without their profile',
    'profile': 'a colour profile other than sRGB, which training does not apply',
    'mixed': 'grey among images in colour, or in colour among grey ones',
    'turned': 'turned or mirrored by its EXIF orientation, as training sees it',
    'wrong-ending': 'an image of another format than its ending says',
    'trailing': 'bytes that belong to no picture',
    'aspect': f'one side at least {LONG_SIDES} times the other',
    'faint': 'almost nothing to see: few grey levels from the darkest to the lightest',
    'grey-end': 'the lower part is one grey, as a damaged JPEG is read',
    'missing-class': 'a class without images in a part',
    'no-labels': 'a part whose images have no labels',
    'beside': 'a folder beside the parts',
    'no-file': 'a row of the table without its image',
    'no-label': 'a row of the table without a label',
    'row-twice': 'an image in several rows of the table',
    'two-labels': 'an image to which the table gives several labels',
    'unlisted': 'an image that the table does not name',
    'no-group': 'an image that --group-by finds no group of; a group of its own',
    'fixed-label': 'an image to which --fixes gives another class',
    'fixed-out': 'an image that --fixes leaves out',
    'changed': 'a file that is not as it was when the data set was prepared',
    'list-label': 'a line of a list file with another label than its folder',
}
