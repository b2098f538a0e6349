"""Image data sets as config files name them."""

from pathlib import Path
from typing import ClassVar

from mmengine.registry import DATASETS

from amlnn.data.images.balanced import balanced_subset
from amlnn.data.images.layout import Layout, read_classes
from amlnn.data.prepare.manifest import SPLIT_FOLDERS
from amlnn.errors import DataError
from amlnn.foreign_texts import read_lines
from amlnn.quiet import quiet_imports

with quiet_imports():
    from mmpretrain.datasets import CustomDataset

__all__ = ['ImageNetFolder']


@DATASETS.register_module()
class ImageNetFolder(Layout, CustomDataset):
    """A data set in ImageNet format, as data_preprocess.py writes it.

    ::

        data_root/classes.txt              one class a line, numbered from 0
        data_root/<split>.txt              `<class>/<file> <number>` a line
        data_root/training_set/<class>/    also val_set and test_set

    Args:
        data_root: The folder.
        split: 'train', 'val' or 'test'.
        pipeline: Transforms, as MMPretrain names them.
        subset: Images that the part keeps, the same number of each class; None keeps all.
        seed: Another seed keeps others.
        kwargs: Further arguments of MMPretrain's CustomDataset.

    Raises:
        DataError: a file is missing, or a line of the list does not fit the classes.
    """

    smallest: ClassVar = {'subset': 1}

    def __init__(self, data_root: str, split: str = 'train', pipeline: list = (),
                 subset: int | None = None, seed: int = 0, **kwargs):
        self.subset, self.seed = subset, seed
        root = Path(data_root)
        hint = self.how_to_get(data_root)
        if split not in SPLIT_FOLDERS:
            raise DataError(f'`{split}` is not a split of `{data_root}`',
                            hint=f'one of {", ".join(SPLIT_FOLDERS)}')
        if not root.is_dir():
            raise DataError(f'no data set at `{data_root}`', hint=hint)
        classes = read_classes(root)
        if not classes:
            raise DataError(f'`{root / "classes.txt"}` is missing or empty', hint=hint)
        if not (root / f'{split}.txt').is_file():
            kept = self.find_parts(data_root)
            raise DataError(f'the data set `{data_root}` has no {split} part',
                            hint=f'it has {", ".join(kept)}: tools/test.py --split chooses one; '
                            'data_preprocess.py --test-ratio makes one' if kept else hint)
        super().__init__(data_root=data_root, data_prefix=SPLIT_FOLDERS[split],
                         ann_file=f'{split}.txt', metainfo={'classes': classes},
                         pipeline=pipeline, **kwargs)

    @classmethod
    def find_parts(cls, data_root: str, **choices) -> tuple[str, ...]:
        """The parts that a list file is there for."""
        return tuple(name for name in SPLIT_FOLDERS if (Path(data_root) / f'{name}.txt').is_file())

    def load_data_list(self) -> list[dict]:
        """Read `<split>.txt`; a name may hold spaces, the number is what follows the last one."""
        prefix = Path(self.data_prefix['img_path'])
        samples = []
        lines = read_lines(Path(self.ann_file), self.how_to_get(self.data_root))
        numbers = {str(number) for number in range(len(self.CLASSES))}
        for number, line in enumerate(lines, 1):
            name, _, label = line.rpartition(' ')
            if not name or '\0' in name or label not in numbers:
                raise DataError(
                    f'{self.ann_file}:{number}: `{line}` is not `<class>/<file> <number below '
                    f'{len(self.CLASSES)}>`', hint=self.how_to_get(self.data_root))
            if Path(name).parts[:1] != (self.CLASSES[int(label)], ):
                raise DataError(
                    f'{self.ann_file}:{number}: `{name}` has number {label}, which classes.txt '
                    f'gives to `{self.CLASSES[int(label)]}`',
                    hint=self.how_to_get(self.data_root))
            samples.append({'img_path': str(prefix / name), 'gt_label': int(label)})
        if not samples:
            raise DataError(f'`{self.ann_file}` names no image',
                            hint=self.how_to_get(self.data_root))
        if not Path(samples[0]['img_path']).is_file():
            raise DataError(f'`{samples[0]["img_path"]}`, named in {self.ann_file}, is not there',
                            hint=self.how_to_get(self.data_root))
        if self.subset is None:
            return samples
        names = [Path(sample['img_path']).relative_to(prefix).as_posix() for sample in samples]
        labels = [sample['gt_label'] for sample in samples]
        return [samples[place] for place in
                balanced_subset(names, labels, self.CLASSES, self.subset, self.seed)]
