"""List backbones: their stages, the parameters of each, and what is not possible and why."""

import re
from pathlib import Path

from amlnn.command import CommandParser
from amlnn.errors import UsageError

_MARKERS = ('<!-- backbones: begin; python tools/backbones.py --write FILE -->',
            '<!-- backbones: end -->')


def parser() -> CommandParser:
    parser = CommandParser(
        'List backbones: their stages, which frozen_stages counts, and what is not possible.',
        example='python tools/backbones.py ConvNeXt vit_tiny_patch16_224', name='backbones')
    parser.add_argument('names', nargs='*', metavar='NAME',
                        help='a class of MMPretrain or a network of timm (default: every class, '
                        "and the smallest network of each of timm's families; minutes)")
    parser.add_argument('--write', metavar='FILE',
                        help='write the table into FILE, between its markers')
    return parser


def main(args) -> int:
    target = Path(args.write) if args.write else None
    text = target.read_text(encoding='utf-8') if target and target.is_file() else ''
    if target and not all(marker in text for marker in _MARKERS):
        raise UsageError(f'`{target}` has no place for the table',
                         hint=f'two lines in it: {_MARKERS[0]} and {_MARKERS[1]}')

    from amlnn.quiet import quiet_imports
    with quiet_imports():
        import mmpretrain.models  # noqa: F401 - remarks on what it lacks
        from mmengine.logging import MMLogger

        from amlnn.models.images.survey import survey
    from amlnn.models.images.survey_table import counted, header, row

    MMLogger.get_instance('amlnn', log_level='ERROR')  # TIMMBackbone lists all feature maps
    print('\n'.join(header()), flush=True)
    found = []
    for each in survey(args.names or None):
        found.append(each)
        print(row(each), flush=True)
    print(f'\n{counted(found)}')
    if target:
        body = '\n'.join([counted(found), '', *header(), *map(row, found)])
        between = f'{_MARKERS[0]}\n\n{body}\n\n{_MARKERS[1]}'
        pattern = f'{re.escape(_MARKERS[0])}.*{re.escape(_MARKERS[1])}'
        target.write_text(re.sub(pattern, lambda _: between, text, flags=re.DOTALL),
                          encoding='utf-8')
    return 0
