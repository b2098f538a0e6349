"""A raw folder becomes a data set in ImageNet format."""

import hashlib
import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from raw_folders import images_of, leftovers, names, quietly, raw_folder, tree, write_image

from amlnn.data.prepare.manifest import manifest_hash, read_manifest
from amlnn.data.prepare.prepare import prepare
from amlnn.errors import DataError, RunFailed, UsageError
from amlnn.quiet import quiet_imports


@pytest.fixture
def flowers(tmp_path):
    return raw_folder(tmp_path / 'raw', tulip=10, daisy=15, rose=21)


def lines(path):
    return path.read_bytes().decode('utf-8').splitlines()


def test_the_layout_is_as_the_contract_says(flowers, tmp_path):
    target = tmp_path / 'out'
    quietly(flowers, target)
    assert sorted(path.name for path in target.iterdir()) == [
        'classes.txt', 'manifest.json', 'train.txt', 'training_set', 'val.txt', 'val_set']
    assert (target / 'classes.txt').read_bytes() == b'daisy\nrose\ntulip\n'
    for split, folder in (('train', 'training_set'), ('val', 'val_set')):
        labels = {'daisy': 0, 'rose': 1, 'tulip': 2}
        expected = [f'{file} {labels[file.split("/")[0]]}' for file in images_of(target, folder)]
        assert len(expected) > 0
        assert lines(target / f'{split}.txt') == expected


def test_at_8_to_2_every_class_is_split_to_the_image_and_none_is_lost(flowers, tmp_path):
    quietly(flowers, tmp_path / 'out')
    train, val = images_of(tmp_path / 'out', 'training_set'), images_of(tmp_path / 'out', 'val_set')
    assert Counter(file.split('/')[0] for file in train) == {'daisy': 12, 'rose': 17, 'tulip': 8}
    assert Counter(file.split('/')[0] for file in val) == {'daisy': 3, 'rose': 4, 'tulip': 2}
    assert sorted(train + val) == sorted(name for name, digest in tree(flowers).items() if digest)


def test_a_test_set_is_made_when_asked_for(flowers, tmp_path):
    quietly(flowers, tmp_path / 'out', train_ratio=0.7, val_ratio=0.2, test_ratio=0.1)
    counts = {folder: Counter(file.split('/')[0] for file in images_of(tmp_path / 'out', folder))
              for folder in ('training_set', 'val_set', 'test_set')}
    assert counts['test_set'] == {'daisy': 1, 'rose': 2, 'tulip': 1}  # 1.5, 2.1, 1
    assert sum(map(Counter.total, counts.values())) == 46
    assert len(lines(tmp_path / 'out' / 'test.txt')) == 4


def test_without_a_validation_ratio_there_is_no_validation_set(flowers, tmp_path):
    quietly(flowers, tmp_path / 'out', train_ratio=0.5, val_ratio=0, test_ratio=0.5)
    assert not (tmp_path / 'out' / 'val_set').exists()
    assert not (tmp_path / 'out' / 'val.txt').exists()
    assert len(images_of(tmp_path / 'out', 'test_set')) == 5 + 7 + 10  # the halves to train


def test_every_image_is_the_source_file_to_the_byte(flowers, tmp_path):
    quietly(flowers, tmp_path / 'out')
    before = tree(flowers)
    for folder in ('training_set', 'val_set'):
        for file, digest in tree(tmp_path / 'out' / folder).items():
            assert digest == before[file]


def test_the_source_is_not_changed(flowers, tmp_path):
    def times():
        return {path: (path.stat().st_mtime_ns, path.stat().st_mode, path.stat().st_nlink)
                for path in flowers.rglob('*')}
    before = tree(flowers), times()
    quietly(flowers, tmp_path / 'out')
    assert (tree(flowers), times()) == before


def test_the_manifest_agrees_with_the_disk(flowers, tmp_path):
    target = tmp_path / 'out'
    manifest, _ = quietly(flowers, target, seed=5)
    assert read_manifest(target) == manifest
    assert manifest.hash == manifest_hash(target)
    assert (manifest.seed, manifest.source_images) == (5, 46)
    assert manifest.classes == ['daisy', 'rose', 'tulip']
    folders = {'train': 'training_set', 'val': 'val_set'}
    for image in manifest.images:
        data = (target / folders[image.split] / image.file).read_bytes()
        assert (image.bytes, image.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert (image.width, image.height) == (16, 12)
        assert image.file.startswith(f'{image.class_name}/')
    assert len({image.file for image in manifest.images}) == 46
    assert manifest.counts['rose'] == {'train': 17, 'val': 4}


def test_the_same_seed_gives_the_same_manifest_to_the_byte_and_another_does_not(flowers, tmp_path):
    texts = []
    for number, seed in enumerate((0, 0, 1)):
        random.seed(number)
        quietly(flowers, tmp_path / str(number), seed=seed)
        texts.append((tmp_path / str(number) / 'manifest.json').read_bytes())
    assert texts[0] == texts[1]
    assert json.loads(texts[0])['hash'] != json.loads(texts[2])['hash']


def test_the_order_in_which_the_disk_lists_files_does_not_matter(flowers, tmp_path, monkeypatch):
    expected, _ = quietly(flowers, tmp_path / 'a')
    listdir, asked = os.listdir, []

    def other_order(path='.'):
        asked.append(path)
        return sorted(listdir(path), key=lambda name: hashlib.md5(os.fsencode(name)).digest())
    monkeypatch.setattr(os, 'listdir', other_order)
    manifest, _ = quietly(flowers, tmp_path / 'b')
    assert asked
    assert manifest == expected
    assert tree(tmp_path / 'a') == tree(tmp_path / 'b')


def test_the_global_random_state_is_left_as_it_was(flowers, tmp_path):
    random.seed(3)
    state = random.getstate()
    quietly(flowers, tmp_path / 'out')
    assert random.getstate() == state


def test_classes_txt_of_the_source_does_not_renumber_the_labels(flowers, tmp_path):
    (flowers / 'classes.txt').write_text('tulip\nrose\ndaisy\n')
    quietly(flowers, tmp_path / 'out')
    assert lines(tmp_path / 'out' / 'classes.txt') == ['daisy', 'rose', 'tulip']
    assert {line for line in lines(tmp_path / 'out' / 'val.txt') if line.startswith('daisy')
            and not line.endswith(' 0')} == set()


def test_a_class_whose_name_begins_another_keeps_its_label(tmp_path):
    raw_folder(tmp_path / 'raw', **{'a': 3, 'a b': 3, 'a-b': 3, 'B': 3})
    quietly(tmp_path / 'raw', tmp_path / 'out')
    assert lines(tmp_path / 'out' / 'classes.txt') == ['B', 'a', 'a b', 'a-b']
    assert [line.rsplit(' ', 1)[1] for line in lines(tmp_path / 'out' / 'val.txt')] == list('0123')


def test_spaces_brackets_and_other_scripts_in_names_survive(tmp_path):
    names = ['img 1.png', 'ü[b].png', '花 .png', 'a\u00a0b.png', '100%.png', 'é.png',
             'e\u0301f.png', "it's.png", '-r.png', ' lead.png']
    for class_name in ('günther 花', '[red]'):
        for name in names:
            write_image(tmp_path / 'raw' / class_name / name)
    manifest, said = quietly(tmp_path / 'raw', tmp_path / 'out dir')
    assert manifest.problems == []
    out = tmp_path / 'out dir'
    assert sorted(images_of(out, 'training_set') + images_of(out, 'val_set')) == sorted(
        f'{class_name}/{name}' for class_name in ('günther 花', '[red]') for name in names)
    assert 'günther 花' in said and '[red]' in said


def test_an_extension_in_capitals_is_accepted(tmp_path):
    raw_folder(tmp_path / 'raw', cat=3)
    for number in range(3):
        write_image(tmp_path / 'raw' / 'dog' / f'{number}.JPG')
    manifest, _ = quietly(tmp_path / 'raw', tmp_path / 'out')
    assert [image.file for image in manifest.images if image.class_name == 'dog'] == [
        'dog/0.JPG', 'dog/1.JPG', 'dog/2.JPG']


def test_what_is_printed_names_counts_place_hash_and_the_next_command(flowers, tmp_path):
    manifest, said = quietly(flowers, tmp_path / 'out')
    assert [line.split()[1::2] for line in said.splitlines() if ' rose ' in line] == [
        ['rose', '17', '4']]
    assert str(tmp_path / 'out') in said
    assert manifest.hash in said
    assert 'python tools/train.py configs/resnet50_frozen3.py' in said
    assert '数据' not in said


def test_an_existing_data_set_is_kept_unless_overwriting(flowers, tmp_path):
    target = tmp_path / 'out'
    quietly(flowers, target)
    before = tree(target)
    with pytest.raises(DataError, match='exists') as caught:
        quietly(flowers, target, seed=1)
    assert '--overwrite' in caught.value.hint
    assert tree(target) == before
    manifest, _ = quietly(flowers, target, seed=1, overwrite=True)
    assert manifest_hash(target) == manifest.hash
    assert tree(target) != before
    assert leftovers(tmp_path) == []


def test_nothing_of_the_old_data_set_is_left_in_the_new_one(flowers, tmp_path):
    target = tmp_path / 'out'
    quietly(flowers, target, train_ratio=0.5, val_ratio=0.3, test_ratio=0.2)
    quietly(flowers, target, overwrite=True)
    quietly(flowers, tmp_path / 'fresh')
    assert tree(target) == tree(tmp_path / 'fresh')


def test_an_empty_target_folder_is_as_good_as_none(flowers, tmp_path):
    (tmp_path / 'out').mkdir()
    quietly(flowers, tmp_path / 'out')
    assert manifest_hash(tmp_path / 'out')


def test_overwrite_never_replaces_a_folder_that_is_no_data_set(flowers, tmp_path):
    home = tmp_path / 'home'
    (home / 'thesis').mkdir(parents=True)
    with pytest.raises(DataError, match='no data set'):
        quietly(flowers, home, overwrite=True)
    assert tree(home) == {'thesis': None}


def test_a_target_that_is_a_link_is_filled_where_it_leads(flowers, tmp_path):
    (tmp_path / 'disk' / 'real').mkdir(parents=True)
    (tmp_path / 'out').symlink_to(tmp_path / 'disk' / 'real')
    quietly(flowers, tmp_path / 'out')
    assert (tmp_path / 'out').is_symlink()
    assert manifest_hash(tmp_path / 'disk' / 'real')


@pytest.mark.parametrize(('target', 'message'), [
    ('raw', 'are the same folder'), ('raw/out', 'lies in the source'),
    ('raw/daisy/out', 'lies in the source'), ('raw/../raw/x/y', 'lies in the source'),
    ('.', 'lies in the target'), ('link/out', 'lies in the source')])
def test_source_and_target_may_not_contain_one_another(flowers, tmp_path, target, message):
    (tmp_path / 'link').symlink_to(flowers)
    before = tree(flowers)
    with pytest.raises(DataError, match=message):
        quietly(flowers, tmp_path / target, overwrite=True)
    assert tree(flowers) == before


@pytest.mark.parametrize(('ratios', 'message', 'hint'), [
    ((0.7, 0.2, 0.0), 'sum to 0.9', '--train-ratio 0.7 --val-ratio 0.3 --test-ratio 0'),
    ((0.8, 0.3, 0.0), 'sum to 1.1', '--val-ratio 0.2'),
    ((80, 20, 0), '80 is not between 0 and 1', '0.8'),
    ((1.2, -0.2, 0), '1.2 is not between', '0.8'),
    ((0.8, 0.4, -0.2), '-0.2 is not between', '0.8'),
    ((float('nan'), 0.2, 0), 'nan is not between', '0.8'),
    ((0, 0.5, 0.5), 'nothing to train on', '--train-ratio 0.8')])
def test_ratios_that_are_no_shares_of_a_whole_are_usage_errors(tmp_path, ratios, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        prepare(tmp_path, tmp_path / 'out', train_ratio=ratios[0], val_ratio=ratios[1],
                test_ratio=ratios[2])
    assert hint in caught.value.hint


@pytest.mark.parametrize('option', ['on_bad', 'on_duplicate'])
def test_an_unknown_choice_is_a_usage_error(flowers, tmp_path, option):
    with pytest.raises(UsageError, match='`ignore` is unknown'):
        prepare(flowers, tmp_path / 'out', **{option: 'ignore'})


def test_a_source_that_changes_meanwhile_is_noticed(flowers, tmp_path, monkeypatch):
    from BaseDT.dataset import DataSet
    convert = DataSet.make_dataset

    def changing(self, source, **options):
        write_image(flowers / 'daisy' / '000.png', seed='another')
        return convert(self, source, **options)
    monkeypatch.setattr(DataSet, 'make_dataset', changing)
    with pytest.raises(DataError, match=r'daisy/000\.png` changed while'):
        quietly(flowers, tmp_path / 'out')
    assert names(tmp_path) == ['raw']


@pytest.mark.parametrize('damage', ['file', 'label', 'class'])
def test_what_basedt_wrote_is_verified(flowers, tmp_path, monkeypatch, damage):
    from BaseDT.dataset import DataSet
    convert = DataSet.make_dataset

    def damaging(self, source, **options):
        convert(self, source, **options)
        output = Path(self.dataset_path)
        if options['val_ratio'] != 1:
            return
        if damage == 'file':
            next((output / 'val_set').rglob('*.png')).unlink()
        elif damage == 'label':
            text = (output / 'val.txt').read_text()
            (output / 'val.txt').write_text(text.replace(' 0\n', ' 1\n'))
        else:
            (output / 'classes.txt').write_text('000001\n000000\n000002\n')
    monkeypatch.setattr(DataSet, 'make_dataset', damaging)
    with pytest.raises(RunFailed, match='BaseDT did not write the val split'):
        quietly(flowers, tmp_path / 'out')
    assert names(tmp_path) == ['raw']


def test_basedt_alone_deletes_its_output_and_breaks_on_a_stray_file(flowers, tmp_path, capsys):
    """Why it is wrapped: the same folder, given to BaseDT as it is, costs the old data set."""
    from BaseDT.dataset import DataSet
    (tmp_path / 'source').mkdir()
    flowers.rename(tmp_path / 'source' / 'images')
    (tmp_path / 'source' / 'classes.txt').write_text('tulip\nrose\ndaisy\n')
    out = tmp_path / 'out'
    DataSet(str(out)).make_dataset(str(tmp_path / 'source'), src_format='IMAGENET',
                                   train_ratio=0.8, val_ratio=0.2, test_ratio=0)
    label = {line.split('/')[0]: line.rsplit(' ', 1)[1] for line in lines(out / 'val.txt')}
    assert label['tulip'] == '0'  # where folders are scanned, tulip is 2
    assert len(images_of(out, 'test_set')) > 0  # nobody asked for it
    (tmp_path / 'source' / 'images' / '.DS_Store').touch()
    with pytest.raises(NotADirectoryError):
        DataSet(str(out)).make_dataset(str(tmp_path / 'source'), src_format='IMAGENET',
                                       train_ratio=0.8, val_ratio=0.2, test_ratio=0)
    assert not (out / 'val.txt').exists()  # the data set that was there is lost
    capsys.readouterr()


def test_mmpretrain_reads_the_same_labels_from_the_lists_as_from_the_folders(tmp_path):
    raw_folder(tmp_path / 'raw', **{'tulip': 5, 'a': 4, 'a b': 6, 'Ü x': 5})
    quietly(tmp_path / 'raw', tmp_path / 'out')
    with quiet_imports():
        from mmpretrain.datasets import CustomDataset
    answer = {}
    for split, folder in (('train', 'training_set'), ('val', 'val_set')):
        for way, ann_file in (('list', f'{split}.txt'), ('scan', '')):
            data = CustomDataset(data_root=str(tmp_path / 'out'), data_prefix=folder,
                                 ann_file=ann_file)
            answer[split + way] = [(row['img_path'], row['gt_label'])
                                   for row in data.load_data_list()]
        answer[f'{split}classes'] = list(data.CLASSES)
    for split, count in (('train', 16), ('val', 4)):
        assert len(answer[f'{split}list']) == count
        assert answer[f'{split}list'] == answer[f'{split}scan']
        assert answer[f'{split}classes'] == lines(tmp_path / 'out' / 'classes.txt')
