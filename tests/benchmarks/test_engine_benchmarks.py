"""Benchmarks of engines: what they read of a machine and of others' logs, and what they write."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from generated import ROOT, load_script, write_data_set
from torch import nn

from amlnn.openvino_library import openvino_version

WITH_AMX = '''\
processor : 0
model name : Intel(R) Xeon(R) Platinum 8488C
flags : fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
processor : 1
model name : Intel(R) Xeon(R) Platinum 8488C
flags : fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
'''
OLD = 'processor : 0\nmodel name : An older one\nflags : fpu sse2 avx2\n'

TIMM = '''\
Train: 0 [   0/3 ( 33%)]  Loss: 2.03 (2.03)  Time: 5.000s,    6.40/s  (5.000s,    6.40/s)  LR: 1e-02
Train: 0 [   1/3 ( 67%)]  Loss: 7.11 (4.57)  Time: 2.000s,   16.00/s  (3.500s,    9.14/s)  LR: 1e-02
Train: 0 [   2/3 (100%)]  Loss: 6.11 (4.57)  Time: 3.000s,   10.67/s  (3.333s,    9.60/s)  LR: 1e-02
Test: [   0/1]  Time: 4.000 (4.000)  Loss: 130.2 (130.2)  Acc@1:  20.312 ( 20.312)  Acc@5: 100.000
Test: [   1/1]  Time: 1.000 (2.500)  Loss: 130.2 (130.2)  Acc@1:  30.000 ( 22.500)  Acc@5: 100.000
'''

PARTS = {
    'processor': {'name': 'A processor', 'cores': 2, 'units': ['avx512_bf16'], 'amx': False},
    'device': 'cpu', 'threads': 2, 'precision': 'bf16', 'versions': {'torch': '2.15'},
    'peaks': {'fp32': {'torch': 1e11, 'openvino': 2e11}, 'bf16': {'torch': 4e11}, 'int8': {}},
    'flops': 8e9, 'decode': 0.001,
    'engines': {'torch fp32': 5.0, 'torch-folded bf16': 20.0, 'openvino bf16': 30.0,
                'openvino int8': 40.0}}


@pytest.fixture
def benchmark(monkeypatch):
    """Loads a benchmark, beside which the others lie."""
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    return lambda name: load_script(ROOT / f'benchmarks/{name}.py')


@pytest.fixture
def args(tmp_path):
    """Of a data set of five classes, 20 training and 10 validation images."""
    return SimpleNamespace(
        data=write_data_set(tmp_path / 'data', sizes={'train': 4, 'val': 2}), images=7, epochs=30,
        out=tmp_path, weights=tmp_path / 'weights.pth', runs=1, workers=[0], config=ROOT / 'a.py',
        only=None)


def test_a_processor_is_known_by_its_name_and_its_arithmetic_units(benchmark):
    machine = benchmark('machine')
    new, old = (machine.processor(text) for text in (WITH_AMX, OLD))
    assert new['name'] == 'Intel(R) Xeon(R) Platinum 8488C' and new['amx'] and not old['amx']
    assert new['units'][:4] == ['amx_tile', 'amx_bf16', 'amx_int8', 'avx512_bf16']
    assert old['units'] == ['avx2'] and machine.processor('')['name'] == 'unknown'
    assert machine.has_bfloat16(WITH_AMX) and not machine.has_bfloat16(OLD)


def test_a_share_is_of_the_best_product_in_the_same_precision(benchmark):
    machine = benchmark('machine')
    assert machine.share(PARTS, 'fp32', 5.0) == pytest.approx(5 * 8e9 / 2e11)
    assert machine.share(PARTS, 'bf16', 30.0) == pytest.approx(0.6)
    assert machine.share(PARTS, 'int8', 40.0) is None
    table = machine.tables(PARTS)
    assert '| openvino bf16 | 30.0 | 60 % |' in table and '| openvino int8 | 40.0 | - |' in table
    assert '| openvino, 10^12 operations a second | 0.20 | - | - |' in table


@pytest.mark.skipif(openvino_version() is None, reason='OpenVINO has no wheel for this Python')
def test_peaks_are_of_every_precision_and_library(benchmark):
    peaks = benchmark('machine').peaks('cpu', 64)
    assert list(peaks) == ['fp32', 'bf16', 'int8']
    assert all(peaks[precision][library] > 0 for precision in ('fp32', 'bf16')
               for library in ('torch', 'openvino')) and peaks['int8']['openvino'] > 0


@pytest.mark.skipif(openvino_version() is None, reason='OpenVINO has no wheel for this Python')
def test_openvinos_product_is_that_of_the_matrices_in_8_bits_too(benchmark):
    machine = benchmark('machine')
    exact, rounded = (next(iter(machine.openvino_product(32, precision)().values()))
                      for precision in ('fp32', 'int8'))
    difference = abs(exact - rounded).max()
    assert 1e-3 < difference < 0.2  # 32 products of numbers that are off by 1 / 256


def test_the_seconds_of_timm_are_read_from_its_log(benchmark):
    times = benchmark('finetune_peers').timm_seconds(TIMM, wall=40.0, val_images=10)
    assert times['train'] == pytest.approx(2.5 / 32) and times['val'] == pytest.approx(5.0 / 10)
    assert times['fixed'] == pytest.approx(40 - 3 * 2.5 - 5) and times['top1'] == 22.5


def test_timm_gets_the_same_images_as_links_in_folders_of_their_classes(benchmark, args):
    machine, peers = benchmark('machine'), benchmark('finetune_peers')
    folder = peers.linked(args, machine.sizes_of(args.data), args.out)
    for part, named, root in (('train', 'train', 'training_set'), ('val', 'validation', 'val_set')):
        lines = (args.data / f'{part}.txt').read_text().splitlines()
        chosen = [lines[index].split()[0] for index in machine.spread(len(lines), 7)]
        found = [path.resolve().relative_to((args.data / root).resolve()).as_posix()
                 for path in sorted((folder / named).glob('*/*'))]
        assert sorted(found) == sorted(chosen) and len(found) == 7
        classes = (args.data / 'classes.txt').read_text().splitlines()
        assert sorted(path.name for path in (folder / named).iterdir()) == sorted(classes)
        assert all(path.parent.name == path.resolve().parent.name
                   for path in (folder / named).glob('*/*'))


@pytest.mark.parametrize('frozen', [-1, 2, 4])
def test_by_hand_what_is_frozen_stands_still_and_the_rest_is_the_network(benchmark, frozen):
    from torchvision.models import resnet18
    torch.manual_seed(0)
    by_hand, network = benchmark('torch_by_hand'), resnet18(num_classes=5)
    images = torch.randn(2, 3, 64, 64)
    model = by_hand.Network(network, frozen).eval()
    assert torch.equal(model(images), network(images))
    before = {name: each.clone() for name, each in network.state_dict().items()}
    model.train()
    nn.functional.cross_entropy(model(images), torch.tensor([0, 1])).backward()
    torch.optim.SGD([each for each in model.parameters() if each.requires_grad], 0.1).step()
    moved = {name.split('.')[0] for name, each in network.state_dict().items()
             if not torch.equal(each, before[name])}
    still = {-1: set(), 2: {'conv1', 'bn1', 'layer1', 'layer2'}, 4: {
        'conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4'}}[frozen]
    assert moved == {name for name, _ in network.named_children()} - still - {
        'relu', 'maxpool', 'avgpool'}


def row(case: str, engine: str, **seconds: float) -> dict:
    return {'case': case, 'engine': engine, 'amlnn_seconds': 10.0, 'seconds': seconds,
            'ratios': {name: each / 10 for name, each in seconds.items()},
            'amlnn': {'train': 0.05}}


def test_the_page_of_finetuning_names_processor_engine_and_every_ratio(benchmark, args):
    finetune = benchmark('finetune')
    rows = [row('everything frozen, V = epochs', 'openvino', MMPretrain=100.0, **{
        'torch by hand': 50.0}), row('nothing frozen', 'none', MMPretrain=40.0, timm=30.0, **{
            'torch by hand': 20.0})]
    page = finetune.markdown(args, {'train': 20, 'val': 10}, rows, PARTS)
    assert 'A processor, 2 cores, without AMX (avx512_bf16)' in page and 'torch 2.15' in page
    assert ('| everything frozen, V = epochs | 100 | 50 | - | 10 | openvino | 10.0 | 5.0 | - |'
            in page)
    assert '| nothing frozen | 40 | 20 | 30 | 10 | none | 4.0 | 2.0 | 3.0 |' in page
    assert 'no option to freeze stages' in page
    # 20 images a second are 0.4 of the peak in bfloat16.
    assert 'takes 50.0 ms, 40 % of the peak in bf16; the trunk alone, by openvino, takes 33.3 ms' \
        in page


def test_every_case_stands_beside_the_peers_that_can_do_it(benchmark, args, monkeypatch):
    finetune = benchmark('finetune')
    args.peers, args.timm_train, args.workers = True, args.data, [0, 1]
    sizes = {'train': 100, 'val': 10}

    def theirs(train):
        # One worker halves it.
        return lambda *given: {'fixed': 4.0, 'train': train / (1 + given[-2]), 'val': 0.01,
                               'workers': given[-2], 'top1': 20.0}

    for name, train in (('time_peer', 0.4), ('time_by_hand', 0.2), ('time_timm', 0.1)):
        monkeypatch.setattr(finetune, name, theirs(train))
    ours = {'fixed': 1.0, 'train': 0.01, 'read': 0.001, 'val': 0.0001, 'first_val': 0.001,
            'top1': 20.0, 'engine': 'openvino'}
    monkeypatch.setattr(finetune, 'time_ours', lambda *given: ours)
    monkeypatch.setattr(finetune, 'find_spec', lambda name: name)  # NNCF's row too
    monkeypatch.setattr(finetune, 'time_sweep', lambda *given: [ours] * 3)
    rows = {each['case']: each for each in finetune.compare(args, sizes)}
    assert len(rows) == len(finetune.CASES) + 1
    assert [case for case, each in rows.items() if 'timm' in each['seconds']] == ['nothing frozen']
    whole = rows['everything frozen, V = epochs']
    assert whole['engine'] == 'openvino' and whole['peers']['MMPretrain']['workers'] == 1
    # Start-up, 30 epochs of 100 images, and what is validated.
    seconds = 1 + 30 * 100 * 0.01 + 10 * 0.001 + 29 * 10 * 0.0001
    assert whole['amlnn_seconds'] == pytest.approx(seconds)
    assert whole['ratios']['MMPretrain'] == pytest.approx((4 + 30 * (20 + 0.1)) / seconds)
    assert rows['nothing frozen']['ratios']['timm'] == pytest.approx(
        (4 + 30 * (5 + 0.1)) / seconds)
    sweep = rows['3 learning rates, everything frozen, V = 4']
    assert sweep['seconds']['torch by hand'] == pytest.approx(3 * (4 + 30 * (10 + 0.1)))
    args.only = ['nothing frozen', 'everything frozen, V = 4']
    assert {each['case'] for each in finetune.compare(args, sizes)} == set(args.only)


def test_a_line_an_image_gives_the_first_answer_and_the_rate_after_it(benchmark, tmp_path):
    predict = benchmark('predict')
    script = ('import time\ntime.sleep(0.2)\nprint("a note")\n'
              'for index in range(64):\n'
              '    time.sleep(0.4 * (index == 32))\n'
              '    print(\'{"path": "a"}\', flush=True)\n')
    times = predict.timed_lines([sys.executable, '-c', script], tmp_path / 'log.txt', 64)
    assert times['first'] > 0.2 and 0 < times['rate'] <= 32 / 0.4
    with pytest.raises(SystemExit, match='gave 64 lines for 65 images'):
        predict.timed_lines([sys.executable, '-c', script], tmp_path / 'log.txt', 65)


def test_every_run_of_predicting_and_testing_goes_into_the_medians(
        benchmark, args, tmp_path, monkeypatch):
    predict = benchmark('predict')
    args.runs, calls = 3, []

    def once(args, sizes, name, *paths):
        calls.append(name)
        slow = 1.0 if name == predict.THEIRS else 2.0
        return {'first': 6.0 / slow, 'rate': slow * (100.0 if len(calls) > 6 else 10.0)}

    monkeypatch.setattr(predict, 'predict_once', once)
    monkeypatch.setattr(predict, 'test_once', once)
    parts = {**PARTS, 'engines': {'torch fp32': 5.0, 'openvino bf16': 30.0}}
    rows = predict.compare(args, {'val': 10}, parts)
    assert len(calls) == 3 * 3 * 2
    assert [(each['tool'], each['engine']) for each in rows] == [
        (tool, name) for tool in ('predict', 'test')
        for name in (predict.THEIRS, 'torch fp32', 'openvino bf16')]
    assert rows[2]['rate'] == 200.0 and rows[2]['rate_ratio'] == rows[2]['first_ratio'] == 2.0
    assert rows[2]['share'] == pytest.approx(4.0)
    page = predict.markdown(args, {'val': 10}, rows, parts)
    assert '| predict | openvino bf16 | 200.0 | 2.0 | 400 % | 3.0 | 2.0 |' in page
    assert json.loads(json.dumps(rows)) == rows
