"""The table of backbones, as Markdown."""

from itertools import groupby

from amlnn.models.images.survey import Surveyed

__all__ = ['counted', 'header', 'row']


def header() -> list[str]:
    """The two lines that a table begins with."""
    return ['| backbone | image | parameters | stages | parameters of each, thousands | '
            'not possible |', '|---|---|---|---|---|---|']


def row(backbone: Surveyed) -> str:
    """The line of one backbone."""
    name = f'{backbone.name} (timm, {backbone.family})' if backbone.family else backbone.name
    side = backbone.image[1:] if backbone.image else ()
    size = str(side[0]) if len(set(side)) == 1 else ' x '.join(map(str, side))
    stages = [name for name, _ in backbone.stages]
    shown = f'{len([each for each in stages if each != "stem"])}' + (
        ' and a stem' if 'stem' in stages else '')
    return (f'| {name} | {size} | {backbone.parameters / 1e6:.1f} M | '
            f'{shown if stages else "none"} | {_thousands(backbone)} | '
            f'{(backbone.reason or "").replace("|", "/")} |')


def counted(found: list[Surveyed]) -> str:
    """How many of them can be split into their stages."""
    parts = []
    for library, each in (("MMPretrain's backbones", [one for one in found if not one.family]),
                          ("timm's families", [one for one in found if one.family])):
        if each:
            split = sum(one.reason is None for one in each)
            parts.append(f'{split} of {len(each)} of {library} ({100 * split / len(each):.0f} %)')
    return f'{" and ".join(parts)} run to the bit as their stages one after the other.'


def _thousands(backbone: Surveyed) -> str:
    # Equal blocks of a transformer are said once.
    counts = [f'{parameters / 1000:,.1f}' for _, parameters in backbone.stages]
    runs = [(value, len(list(group))) for value, group in groupby(counts)]
    return ', '.join(value if count == 1 else f'{count} x {value}' for value, count in runs)
