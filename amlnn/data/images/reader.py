"""The reader of image files that every pipeline names, `LoadImageFromFile`, as amlnn has it."""

import sys

import mmengine.fileio as fileio
import numpy as np
from mmengine.registry import TRANSFORMS

from amlnn.data.images.pixels import VISIBLE, find_kind, read_pixels
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmcv.transforms import LoadImageFromFile as _Plain
    from mmpretrain import registry as _mmpretrain
    from mmpretrain.datasets import transforms  # noqa: F401  registers mmcv's in its own scope

__all__ = ['LoadImageFromFile']


@TRANSFORMS.register_module(force=True)
class LoadImageFromFile(_Plain):
    """mmcv's LoadImageFromFile, which also reads what OpenCV alone would lose.

    It takes the place of mmcv's under its name, so that training, testing and predicting read an
    image as `data_preprocess.py` saw it. What is read otherwise than in colour by OpenCV is left to
    mmcv.

    Args:
        to_float32: Give floating-point numbers, of the same values.
        deep_range: The values of an image of more than 8 bits a channel that become black and
            white, such as (0, 4095); see `amlnn.data.images.pixels.read_pixels`.
        kwargs: mmcv's.
    """

    told = False
    """Whether this process was warned; once is enough."""

    def __init__(self, to_float32: bool = False, *,
                 deep_range: tuple[float, float] | None = None, **kwargs):
        super().__init__(to_float32, **kwargs)
        self.deep_range = None if deep_range is None else tuple(deep_range)

    @property
    def is_plain(self) -> bool:
        """Whether it reads in colour, by OpenCV."""
        return self.color_type == 'color' and self.imdecode_backend == 'cv2' \
            and self.file_client_args is None

    def transform(self, results: dict) -> dict | None:
        """Load `img_path` into `img`, uint8 [height, width, BGR]."""
        if not self.is_plain:
            return super().transform(results)
        path = results['img_path']
        try:
            data = fileio.get(path, backend_args=self.backend_args)
            image = read_pixels(data, self.deep_range, str(path))
        except Exception:
            if self.ignore_empty:
                return None
            raise
        if self.deep_range is None and not LoadImageFromFile.told:
            self._tell_of_darkness(data, image, path)
        assert image is not None, f'failed to load image: {path}'  # what mmcv raises
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    @staticmethod
    def _tell_of_darkness(data: bytes, image: np.ndarray | None, path: str) -> None:
        """Warn of 12 bits in a 16-bit file: divided by 256, they are next to black."""
        if data[:2] == b'\xff\xd8' or image is None or image.max() >= VISIBLE \
                or find_kind(data) != 'deep' or len(np.unique(image)) < 2:
            return
        LoadImageFromFile.told = True
        # Not in the log, which predicting has none of, nor on standard output, which it fills.
        print(f'warning: `{path}` has more than 8 bits and uses few of them, so it is read nearly '
              'black; the range of its numbers is missing, such as '
              "dict(type='LoadImageFromFile', deep_range=(0, 4095))", file=sys.stderr)


_mmpretrain.TRANSFORMS.register_module(module=LoadImageFromFile, force=True)
