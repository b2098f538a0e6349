"""What kind of experiment a config describes, and what its data sets need: they declare it."""

from collections.abc import Iterator, Mapping
from typing import Any

from amlnn.config.signatures import Library, library_of

__all__ = ['PARTS', 'data_sets', 'loader_of', 'part_data_sets', 'run_kind']

PARTS = ('train', 'val', 'test')

_USUAL_KIND = 'classification'


def run_kind(config: Mapping[str, Any]) -> str:
    """The `kind` that the config's data sets declare; 'classification' where none does.

    Their source is read, nothing is imported.

    >>> run_kind({'test_dataloader': {'dataset': {'type': 'CustomDataset', 'data_root': 'a'}}})
    'classification'
    """
    names = [data_set['type'] for part in PARTS
             for _, data_set in data_sets(config.get(f'{part}_dataloader')) if 'type' in data_set]
    if not names:
        return _USUAL_KIND
    found = library_of(config)
    kinds = (found.facts_of('DATASETS', name).kind for name in names)
    return next(filter(None, kinds), _USUAL_KIND)


def loader_of(section: object, found: Library) -> tuple[str, str] | None:
    """Module and class of the loader that the data set of a `*_dataloader` section needs.

    None where torch's will do.

    >>> from amlnn.config.signatures import library
    >>> loader_of({'dataset': {'type': 'SeriesWindows'}}, library())
    ('amlnn.data.series.window_loader', 'WindowLoader')
    """
    loaders = (found.facts_of('DATASETS', data_set.get('type')).loader
               for _, data_set in data_sets(section))
    return next(filter(None, loaders), None)


def data_sets(section: object, at: str = '') -> Iterator[tuple[str, dict[str, Any]]]:
    """The data sets of a `*_dataloader` section, inside wrappers too, with their dotted keys.

    >>> section = {'dataset': {'type': 'RepeatDataset', 'dataset': {'type': 'CustomDataset'}}}
    >>> list(data_sets(section, 'train_dataloader'))
    [('train_dataloader.dataset.dataset', {'type': 'CustomDataset'})]
    """
    if isinstance(section, dict):
        yield from _leaves(section.get('dataset'), f'{at}.dataset')


def part_data_sets(config: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """The data sets of 'train', 'val' or 'test', inside wrappers too; [] without such a part.

    >>> part_data_sets({'test_dataloader': {'dataset': {'type': 'CustomDataset'}}}, 'test')
    [{'type': 'CustomDataset'}]
    """
    return [leaf for _, leaf in data_sets(config.get(f'{part}_dataloader'))]


def _leaves(section: object, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(section, dict):
        return
    if isinstance(section.get('dataset'), dict):
        yield from _leaves(section['dataset'], f'{at}.dataset')
    elif isinstance(section.get('datasets'), list | tuple):
        for index, inner in enumerate(section['datasets']):
            yield from _leaves(inner, f'{at}.datasets.{index}')
    else:
        yield at, section
