"""Lists with an image twice, one that is not there or one of another part are refused."""

from pathlib import Path

import numpy as np
import pytest
from generated import write_data_set
from PIL import Image
from tiny_runs import write_tiny_config

from amlnn.data.prepare.manifest import SPLIT_FOLDERS
from amlnn.engine.train import TrainOptions, train

CLASSES = ('cat', 'dog')
SIZES = {'train': 6, 'val': 3, 'test': 3}


def draw(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return path


class Lists:
    """A list a part, `<class>/<file> <number>` a line, of images in one folder a part.

    The faults are made in the list of a part, or where a part has none in its folder.
    """

    model = 'model = dict(head=dict(num_classes=2))'
    dataset = ('dict(_delete_=True, type="CustomDataset", data_root={root!r}, '
               'data_prefix={part!r}, ann_file="{part}.txt", metainfo=dict(classes={classes}), '
               'pipeline=[dict(type="LoadImageFromFile"), dict(type="PackInputs")])')

    def __init__(self, root: Path):
        self.root = root
        self.write()

    def folder(self, part: str) -> Path:
        return self.root / part

    def write(self) -> None:
        for place, (part, count) in enumerate(SIZES.items()):
            lines = []
            for label, name in enumerate(CLASSES):
                for number in range(count):
                    file = f'{name}/{part}_{number}.png'
                    draw(self.folder(part) / file, 1000 * place + 100 * label + number)
                    lines.append(f'{file} {label}')
            self.list_file(part).write_text('\n'.join(lines) + '\n')

    def list_file(self, part: str) -> Path:
        return self.root / f'{part}.txt'

    def config(self, path: Path) -> Path:
        text = '\n'.join(
            f'{part}_dataloader = dict(dataset=' + self.dataset.format(
                root=str(self.root), part=part, classes=list(CLASSES)) + ')' for part in SIZES)
        return write_tiny_config(path, self.root, f'{self.model}\n{text}', epochs=1)

    def lines(self, part: str) -> list[str]:
        return self.list_file(part).read_text().splitlines()

    def rewrite(self, part: str, lines: list[str]) -> None:
        self.list_file(part).write_text('\n'.join(lines) + '\n')

    # The faults; each returns what the error has to name.

    def twice(self, part: str) -> str:
        lines = self.lines(part)
        self.rewrite(part, [*lines, lines[1]])
        return f'{part}_1.png'

    def missing(self, part: str) -> str:
        (self.folder(part) / f'cat/{part}_1.png').unlink()
        return f'{part}_1.png'

    def shared(self, part: str) -> str:
        """The list names an image of the training part, by a way through its folder."""
        self.rewrite(part, [*self.lines(part), '../train/cat/train_1.png 0'])
        return 'train_1.png'

    def linked(self, part: str) -> str:
        """A file is a link to an image of the training part."""
        file = self.folder(part) / f'cat/{part}_1.png'
        file.unlink()
        file.symlink_to(self.folder('train') / 'cat/train_1.png')
        return f'{part}_1.png'


class OneFolder(Lists):
    """Lists of images in one folder together."""

    dataset = Lists.dataset.replace('{part!r}', '"images"')

    def folder(self, part: str) -> Path:
        return self.root / 'images'

    def shared(self, part: str) -> str:
        self.rewrite(part, [*self.lines(part), 'cat/train_1.png 0'])
        return 'train_1.png'


class LibrarysImageNet(OneFolder):
    """MMPretrain's own ImageNet, of other classes."""

    dataset = OneFolder.dataset.replace('CustomDataset', 'ImageNet')


class ClassFolders(Lists):
    """MMPretrain's sub-folder form, without any list."""

    dataset = Lists.dataset.replace(' ann_file="{part}.txt",', '')

    twice = missing = None  # a folder has no file twice, and what it has is there

    def shared(self, part: str) -> str:
        """The folder of a class is that of the training part."""
        for path in (self.folder(part) / 'cat').iterdir():
            path.unlink()
        (self.folder(part) / 'cat').rmdir()
        (self.folder(part) / 'cat').symlink_to(self.folder('train') / 'cat')
        return 'train_0.png'


class Unprepared(Lists):
    """ImageNetFolder of a folder that data_preprocess.py did not write."""

    model = ''
    dataset = ('dict(_delete_=True, type="ImageNetFolder", data_root={root!r}, split={part!r}, '
               'pipeline=[dict(type="LoadImageFromFile"), dict(type="PackInputs")])')

    def write(self) -> None:
        super().write()
        (self.root / 'classes.txt').write_text('cat\ndog\n')

    def folder(self, part: str) -> Path:
        return self.root / SPLIT_FOLDERS[part]

    def shared(self, part: str) -> str:
        self.rewrite(part, [*self.lines(part), 'cat/../../training_set/cat/train_1.png 0'])
        return 'train_1.png'


class Prepared(Unprepared):
    """As data_preprocess.py writes it, with a manifest."""

    def write(self) -> None:
        write_data_set(self.root, sizes=SIZES, side=8)

    def twice(self, part: str) -> str:
        super().twice(part)
        return self.lines(part)[1].rpartition(' ')[0]

    def missing(self, part: str) -> str:
        name = self.lines(part)[1].rpartition(' ')[0]
        (self.folder(part) / name).unlink()
        return name

    def shared(self, part: str) -> str:
        line = self.lines('train')[0]
        self.rewrite(part, [*self.lines(part), line])
        return line.rpartition(' ')[0]

    linked = None  # what took the place of a file shows by its size, time and content


KINDS = [Lists, OneFolder, LibrarysImageNet, ClassFolders, Unprepared, Prepared]
FAULTS = [('train', 'twice'), ('train', 'missing'), ('val', 'twice'), ('val', 'missing'),
          ('val', 'shared'), ('val', 'linked'), ('test', 'twice'), ('test', 'missing'),
          ('test', 'shared'), ('test', 'linked')]
CASES = [(kind, part, fault) for kind in KINDS for part, fault in FAULTS if getattr(kind, fault)]


def cases(*parts: str):
    return pytest.mark.parametrize(
        ('lists', 'part', 'fault'), [case for case in CASES if case[1] in parts],
        indirect=['lists'], ids=lambda value: getattr(value, '__name__', value))


@pytest.fixture
def lists(request, tmp_path):
    return request.param(tmp_path / 'data')


def assert_refused(outcome: tuple[int, str, str], named: str) -> None:
    status, _, errors = outcome
    lines = errors.strip().splitlines()
    assert status == 2 and len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    assert named in lines[0]


@cases('train', 'val')
def test_a_training_refuses_a_list_that_is_wrong(lists, part, fault, tmp_path, run_tool):
    config = lists.config(tmp_path / 'c.py')
    named = getattr(lists, fault)(part)
    assert_refused(run_tool('train', config, '--work-dir', tmp_path / 'w', '--device', 'cpu'),
                   named)
    assert not (tmp_path / 'w').exists()


@pytest.fixture
def trained(lists, tmp_path) -> tuple[Path, Path]:
    """A config, and the best weights of its run."""
    config = lists.config(tmp_path / 'c.py')
    return config, train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu')) / 'best.pth'


@cases('test')
def test_a_test_refuses_a_list_that_is_wrong(lists, part, fault, trained, run_tool):
    config, weights = trained
    command = ('test', config, weights, '--split', part, '--device', 'cpu')
    assert run_tool(*command)[0] == 0
    (weights.parent / 'test_test.json').unlink()
    named = getattr(lists, fault)(part)
    assert_refused(run_tool(*command), named)
    assert not (weights.parent / 'test_test.json').exists()


@pytest.mark.parametrize('lists', [OneFolder], indirect=True)
def test_a_run_refuses_to_go_on_with_a_list_that_shares_images_by_now(lists, trained, tmp_path,
                                                                     run_tool):
    config, weights = trained
    named = lists.shared('val')
    assert_refused(run_tool(
        'train', config, '--resume', weights.parent, '--device', 'cpu', '--cfg-options',
        'train_cfg.max_epochs=2'), named)


@pytest.mark.parametrize('lists', [OneFolder], indirect=True)
def test_a_test_part_is_tested_where_the_training_part_is_not(lists, trained, run_tool):
    config, weights = trained
    lists.list_file('train').rename(lists.root / 'elsewhere.txt')
    status, _, errors = run_tool('test', config, weights, '--split', 'test', '--device', 'cpu')
    assert status == 0, errors
