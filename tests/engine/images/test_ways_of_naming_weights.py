"""Every way to name weights is obeyed or refused; none is passed over.

Obeyed means that the tensors of the built model are those of the file. What names no weights of a
part leaves that part random.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tiny_runs import write_tiny_config

from amlnn.config.load import load_config
from amlnn.config.run_keys import check_run_keys
from amlnn.engine.images.task import ImageTask
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError

TIMM = 'test_resnet'
TIMM_BACKBONE = f"backbone=dict(_delete_=True, type='TIMMBackbone', model_name='{TIMM}'"
TIMM_CLASSIFIER = f"_delete_=True, type='TimmClassifier', model_name='{TIMM}', num_classes=5"


def init(source: str, more: str = '') -> str:
    return f"init_cfg=dict(type='Pretrained', checkpoint={source!r}{more})"


@dataclass
class Way:
    """How weights are named, and what becomes of it."""

    child: str = ''
    """What the child's `model` says."""
    base: str = ''
    """What its base's says."""
    first: str = ''
    """What the child begins with,"""
    base_first: str = ''
    """and what its base."""
    top: str = ''
    """What else the child says."""
    options: tuple[str, ...] = ()
    """--cfg-options."""
    pretrained: str | None = None
    """--pretrained."""
    takes: tuple[str, ...] = ()
    """Parts of the model that are the file's."""
    file: str = 'whole.pth'
    refused: tuple[str, ...] = ()
    """Words of the error."""


IMPORT = 'from mmengine.model import PretrainedInit'
BY_CLASS = "init_cfg=dict(type=PretrainedInit, checkpoint='backbone.pth')"
IN_A_LIST = "init_cfg=[dict(type='Kaiming', layer='Conv2d'), " \
    "dict(type='Pretrained', checkpoint='backbone.pth')]"
OVERRIDE = "init_cfg=dict(type='Kaiming', layer='Conv2d', override=dict(type='Pretrained', " \
    "name='layer4', checkpoint='whole.pth', prefix='backbone.layer4.'))"
IN_A_LIST_NOWHERE = IN_A_LIST.replace('backbone.pth', 'nowhere.pth')
DOTTED, PLAIN, OF_HEAD, OF_NECK = (
    f', prefix={prefix!r}' for prefix in ('backbone.', 'backbone', 'head.', 'neck.'))
BACKBONE, HEAD = ('backbone',), ('head',)
OBEYED = {
    # -- amlnn's key
    'pretrained=FILE': Way("pretrained='backbone.pth'", takes=BACKBONE),
    'pretrained=FILE of a whole model': Way("pretrained='whole.pth'", takes=BACKBONE),
    'pretrained=RUN': Way("pretrained='run'", takes=BACKBONE),
    'pretrained=FILE, pretrained_head': Way("pretrained='whole.pth', pretrained_head=True",
                                            takes=('backbone', 'head')),
    'pretrained=torchvision://': Way(
        "backbone=dict(_delete_=True, type='ResNet', depth=18), pretrained='torchvision://resnet18'"
        ", head=dict(in_channels=512)", takes=BACKBONE, file='torchvision.pth'),
    'pretrained=timm://': Way(f"{TIMM_BACKBONE}), pretrained='timm://{TIMM}'", takes=BACKBONE,
                              file='timm.pth'),
    'pretrained=package://': Way("pretrained='package://some'", takes=BACKBONE),
    'pretrained=None': Way('pretrained=None'),
    'pretrained=FILE over a None': Way("pretrained='backbone.pth'", 'pretrained=None',
                                       takes=BACKBONE),
    'pretrained=None over a FILE': Way('pretrained=None', "pretrained='nowhere.pth'"),
    # -- init_cfg
    'backbone.init_cfg': Way(f'backbone=dict({init("backbone.pth")})', takes=BACKBONE),
    'backbone.init_cfg under pretrained=None': Way(
        f'backbone=dict({init("backbone.pth")})', 'pretrained=None', takes=BACKBONE),
    'backbone.init_cfg beside pretrained=None': Way(
        f'pretrained=None, backbone=dict({init("backbone.pth")})', takes=BACKBONE),
    'pretrained=None over backbone.init_cfg': Way(
        'pretrained=None', f'backbone=dict({init("nowhere.pth")})'),
    'pretrained=None over init_cfg of all': Way(
        'pretrained=None', f'{init("nowhere.pth")}, head=dict({init("nowhere.pth")})'),
    'backbone.init_cfg of a whole model': Way(f'backbone=dict({init("whole.pth")})',
                                              takes=BACKBONE),
    'backbone.init_cfg, prefix': Way(
        f'backbone=dict({init("whole.pth", DOTTED)})', takes=BACKBONE),
    'backbone.init_cfg, prefix without a dot': Way(
        f'backbone=dict({init("whole.pth", PLAIN)})', takes=BACKBONE),
    'backbone.init_cfg, mmengine.Pretrained': Way(
        f'backbone=dict({init("backbone.pth")})'.replace("'Pre", "'mmengine.Pre"),
        'pretrained=None', takes=BACKBONE),
    'backbone.init_cfg, type=PretrainedInit': Way(
        f'backbone=dict({BY_CLASS})', 'pretrained=None', first=IMPORT, takes=BACKBONE),
    'pretrained=None over type=PretrainedInit': Way(
        'pretrained=None', f'backbone=dict({BY_CLASS})', base_first=IMPORT),
    'backbone.init_cfg in a list': Way(f'backbone=dict({IN_A_LIST})', takes=BACKBONE),
    'backbone.init_cfg in a list, pretrained=None': Way(
        f'backbone=dict({IN_A_LIST})', 'pretrained=None', takes=BACKBONE),
    'backbone.init_cfg in an override': Way(f'backbone=dict({OVERRIDE})',
                                            takes=('backbone.layer4',)),
    'backbone.init_cfg=RUN': Way(f'backbone=dict({init("run")})', takes=BACKBONE),
    'backbone.init_cfg=http://': Way(
        f'backbone=dict({init("https://example.invalid/a/far-away.pth")})', takes=BACKBONE),
    'backbone.init_cfg=openmmlab://': Way(f'backbone=dict({init("openmmlab://tiny")})',
                                          takes=BACKBONE),
    'backbone.init_cfg=torchvision://': Way(
        f"backbone=dict(_delete_=True, type='ResNet', depth=18, {init('torchvision://resnet18')})"
        ', head=dict(in_channels=512)', takes=BACKBONE, file='torchvision.pth'),
    'head.init_cfg': Way(f'head=dict({init("head.pth")})', takes=HEAD),
    'head.init_cfg, prefix': Way(f'head=dict({init("whole.pth", OF_HEAD)})', takes=HEAD),
    'head.init_cfg beside pretrained': Way(
        f'pretrained="backbone.pth", head=dict({init("head.pth")})', takes=('backbone', 'head')),
    'head.init_cfg under pretrained=None': Way(f'head=dict({init("head.pth")})', 'pretrained=None',
                                               takes=HEAD),
    'model.init_cfg': Way(init('whole.pth'), takes=('backbone', 'head')),
    'model.init_cfg under pretrained=None': Way(init('whole.pth'), 'pretrained=None',
                                                takes=('backbone', 'head')),
    'model.init_cfg of a run': Way(init('run'), takes=('backbone', 'head')),
    'init_cfg of a classifier of timm': Way(f'{TIMM_CLASSIFIER}, {init("classifier.pth")}',
                                            takes=('model',), file='classifier.pth'),
    # -- a backbone's own arguments
    'TIMMBackbone(pretrained=True)': Way(
        f'{TIMM_BACKBONE}, pretrained=True)', takes=BACKBONE,
        file='timm.pth'),
    'TIMMBackbone(pretrained=True) under None': Way(
        f'{TIMM_BACKBONE}, pretrained=True)', 'pretrained=None',
        takes=BACKBONE, file='timm.pth'),
    'TIMMBackbone(checkpoint_path=FILE)': Way(
        f"{TIMM_BACKBONE}, checkpoint_path='timm.pth')",
        takes=BACKBONE, file='timm.pth'),
    # -- the command line
    '--pretrained FILE': Way(pretrained='backbone.pth', takes=BACKBONE),
    '--pretrained RUN': Way(pretrained='run', takes=BACKBONE),
    '--pretrained package://': Way(pretrained='package://some', takes=BACKBONE),
    '--pretrained over pretrained': Way("pretrained='nowhere.pth'", pretrained='backbone.pth',
                                        takes=BACKBONE),
    '--pretrained over backbone.init_cfg': Way(f'backbone=dict({init("nowhere.pth")})',
                                               pretrained='backbone.pth', takes=BACKBONE),
    '--pretrained beside head.init_cfg': Way(
        f'head=dict({init("head.pth")})', pretrained='backbone.pth', takes=('backbone', 'head')),
    '--pretrained over TIMMBackbone(pretrained=True)': Way(
        f'{TIMM_BACKBONE}, pretrained=True)', pretrained='timm.pth',
        takes=BACKBONE, file='timm.pth'),
    '--pretrained none over pretrained': Way("pretrained='nowhere.pth'", pretrained='none'),
    '--pretrained none over init_cfg': Way(
        f'backbone=dict({init("nowhere.pth")}), head=dict({init("nowhere.pth")})',
        pretrained='none'),
    '--pretrained none over TIMMBackbone(pretrained=True)': Way(
        f'{TIMM_BACKBONE}, pretrained=True)', pretrained='none',
        file='timm.pth'),
    '--cfg-options model.pretrained': Way(options=('model.pretrained=backbone.pth',),
                                          takes=BACKBONE),
    '--cfg-options model.pretrained=None': Way("pretrained='nowhere.pth'",
                                               options=('model.pretrained=None',)),
    '--cfg-options model.pretrained=None over init_cfg': Way(
        f'backbone=dict({init("nowhere.pth")})', options=('model.pretrained=None',)),
    '--cfg-options model.backbone.init_cfg': Way(
        'pretrained=None', options=('model.backbone.init_cfg.type=Pretrained',
                                    'model.backbone.init_cfg.checkpoint=backbone.pth'),
        takes=BACKBONE),
    '--cfg-options ....init_cfg.checkpoint': Way(
        f'backbone=dict({init("nowhere.pth")})',
        options=('model.backbone.init_cfg.checkpoint=backbone.pth',), takes=BACKBONE),
    '--cfg-options ....init_cfg.1.checkpoint': Way(
        f'backbone=dict({IN_A_LIST_NOWHERE})',
        options=('model.backbone.init_cfg.1.checkpoint=backbone.pth',), takes=BACKBONE),
}
BOTH = ('child.py:2', 'base.py:')
REFUSED = {
    # -- two that contradict
    'pretrained over backbone.init_cfg': Way(
        "pretrained='whole.pth'", f'backbone=dict({init("backbone.pth")})', refused=BOTH),
    'backbone.init_cfg over pretrained': Way(
        f'backbone=dict({init("backbone.pth")})', "pretrained='whole.pth'", refused=BOTH),
    'backbone.init_cfg in a list over pretrained': Way(
        f'backbone=dict({IN_A_LIST})', "pretrained='whole.pth'", refused=BOTH),
    'model.init_cfg over pretrained': Way(init('whole.pth'), "pretrained='backbone.pth'",
                                          refused=BOTH),
    'backbone.init_cfg over model.init_cfg': Way(
        f'backbone=dict({init("backbone.pth")})', init('whole.pth'), refused=BOTH),
    'head.init_cfg over pretrained_head': Way(
        f'head=dict({init("head.pth")})', "pretrained='whole.pth', pretrained_head=True",
        refused=BOTH),
    'TIMMBackbone(pretrained=True) and pretrained': Way(
        f"{TIMM_BACKBONE}, pretrained=True), pretrained='timm.pth'", refused=('child.py:2',)),
    'TIMMBackbone(pretrained=True) and init_cfg': Way(
        f'{TIMM_BACKBONE}, pretrained=True, {init("timm.pth")})',
        refused=('backbone.pretrained', 'backbone.init_cfg')),
    '--cfg-options model.pretrained over init_cfg': Way(
        f'backbone=dict({init("backbone.pth")})', options=('model.pretrained=whole.pth',),
        refused=('--cfg-options', 'child.py:2')),
    # -- a file that is not there, of another network, or none
    'pretrained=nowhere': Way("pretrained='nowhere.pth'", refused=('nowhere.pth',)),
    '--pretrained nowhere': Way(pretrained='nowhere.pth', refused=('nowhere.pth',)),
    'backbone.init_cfg=nowhere': Way(f'backbone=dict({init("nowhere.pth")})',
                                     refused=('nowhere.pth',)),
    'head.init_cfg=nowhere': Way(f'head=dict({init("nowhere.pth")})', refused=('nowhere.pth',)),
    'model.init_cfg=nowhere': Way(init('nowhere.pth'), refused=('nowhere.pth',)),
    'init_cfg of no name': Way(f'backbone=dict({init("")})', refused=('backbone.init_cfg',)),
    'init_cfg, unknown scheme': Way(f'backbone=dict({init("s3://a/b.pth")})', refused=('s3://',)),
    'init_cfg, unknown name': Way(f'backbone=dict({init("mmcls://no_such")})',
                                  refused=('mmcls://no_such',)),
    'pretrained=another network': Way("pretrained='timm.pth'", refused=('fits', 'timm.pth')),
    'backbone.init_cfg=another network': Way(f'backbone=dict({init("timm.pth")})',
                                             refused=('fits', 'timm.pth')),
    'model.init_cfg=another network': Way(init('timm.pth'), refused=('fits', 'timm.pth')),
    'model.init_cfg=a backbone': Way(init('backbone.pth'), refused=('fits', 'backbone.pth')),
    'head.init_cfg=a whole model': Way(f'head=dict({init("whole.pth")})',
                                       refused=('fits 0 of the 2', 'head')),
    'init_cfg, unknown prefix': Way(f'backbone=dict({init("whole.pth", OF_NECK)})',
                                    refused=('neck.',)),
    'pretrained=nine tenths': Way("pretrained='part.pth'", refused=('fits', 'part.pth')),
    'backbone.init_cfg=nine tenths': Way(f'backbone=dict({init("part.pth")})',
                                         refused=('fits', 'part.pth')),
    'init_cfg=code': Way(f'backbone=dict({init("code.pth")})', refused=('would run code',)),
    'init_cfg=a web page': Way(f'head=dict({init("page.pth")})', refused=('HTML',)),
    # -- keys by which other programs name weights
    'load_from': Way(top="load_from = 'whole.pth'", refused=('child.py:3', 'load_from')),
    '--cfg-options load_from': Way(options=('load_from=whole.pth',), refused=('load_from',)),
    'resume': Way(top='resume = True', refused=('child.py:3', 'resume')),
    'resume_from': Way(top="resume_from = 'whole.pth'", refused=('child.py:3', 'resume_from')),
    '--cfg-options resume_from': Way(options=('resume_from=whole.pth',), refused=('resume_from',)),
    'init_cfg, the class by a name that is not registered': Way(
        "backbone=dict(init_cfg=dict(type='PretrainedInit', checkpoint='backbone.pth'))",
        refused=('child.py:2', 'PretrainedInit')),
    'backbone.pretrained of one without it': Way("backbone=dict(pretrained='backbone.pth')",
                                                 refused=('child.py:2', 'backbone.pretrained')),
    'neck.init_cfg of one without weights': Way(f'neck=dict({init("whole.pth")})',
                                                refused=('neck.init_cfg',)),
    'TimmClassifier(pretrained=True)': Way(f'{TIMM_CLASSIFIER}, pretrained=True',
                                           refused=('child.py:2', 'model.pretrained')),
    'TimmClassifier(checkpoint_path=FILE)': Way(
        f"{TIMM_CLASSIFIER}, checkpoint_path='classifier.pth'", refused=('checkpoint_path',)),
    'TIMMBackbone(pretrained_cfg_overlay=FILE)': Way(
        f"{TIMM_BACKBONE}, pretrained=True, pretrained_cfg_overlay=dict(file='timm.pth'))",
        refused=('pretrained_cfg_overlay',)),
}


class _Runs:
    def __reduce__(self):
        return Path.touch, (Path('ran'),)


@pytest.fixture(scope='module')
def files(tmp_path_factory, data_set) -> Path:
    """Files of weights that no initialisation draws, and the data beside them."""
    import timm
    from torchvision.models import resnet18
    folder = tmp_path_factory.mktemp('files')
    torch.manual_seed(9)
    config = write_tiny_config(folder / 'tiny.py', data_set)
    whole = other(build(config).state_dict())
    backbone = {name.removeprefix('backbone.'): tensor for name, tensor in whole.items()
                if name.startswith('backbone.')}
    save = {
        'whole.pth': whole, 'backbone.pth': backbone,
        'head.pth': {name.removeprefix('head.'): tensor for name, tensor in whole.items()
                     if name.startswith('head.')},
        'part.pth': dict(list(backbone.items())[:len(backbone) * 9 // 10]),
        'timm.pth': other(timm.create_model(TIMM, num_classes=0).state_dict()),
        'classifier.pth': other(timm.create_model(TIMM, num_classes=5).state_dict()),
        'torchvision.pth': other(resnet18().state_dict()),
        'code.pth': {**backbone, 'code': _Runs()}}
    save |= {'weights/resnet18-f37072fd.pth': save['torchvision.pth'],
             f'weights/{TIMM}.pth': save['timm.pth'], 'weights/far-away.pth': backbone,
             'weights/tiny-0123abcd.pth': backbone,
             'run/best.pth': {'state_dict': whole, 'meta': {'epoch': 1}}}
    for name, content in save.items():
        (folder / name).parent.mkdir(exist_ok=True)
        torch.save(content, folder / name)
    (folder / 'page.pth').write_text('<!DOCTYPE html><html></html>')
    return folder


def other(state: dict) -> dict:
    return {name: torch.rand(tensor.shape) + 0.5 if tensor.is_floating_point() else tensor
            for name, tensor in state.items()}


def build(config: Path, options=(), pretrained=None) -> torch.nn.Module:
    loaded = load_config(config, list(options))
    check_run_keys(loaded)
    task = open_task(loaded, 'cpu', pretrained=pretrained)
    with in_scope(loaded.config):
        return task.build_model()[0]


@pytest.fixture
def build_way(files, data_set, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr('mmengine.runner.checkpoint.get_external_models',
                        lambda: {'tiny': 'https://example.invalid/tiny-0123abcd.pth'})
    monkeypatch.setattr('amlnn.models.images.weights_place.find_packaged',
                        lambda name, folders: files / 'backbone.pth')

    def built(way: Way) -> torch.nn.Module:
        write_tiny_config(files / 'base.py', data_set,
                          f'{way.base_first}\nmodel = dict({way.base})')
        Path('child.py').write_text(f"_base_ = 'base.py'; {way.first}\n"
                                    f'model = dict({way.child})\n{way.top}\n')
        return build(Path('child.py'), way.options, way.pretrained)

    yield built
    assert not Path('ran').exists()


def same(model: torch.nn.Module, files: Path, way: Way) -> dict[str, bool]:
    """Each weight of a model, and whether it is that of the file."""
    given = torch.load(files / way.file, weights_only=True)
    found = {}
    for name, tensor in model.named_parameters():
        short = name.removeprefix('backbone.').removeprefix('timm_model.').removeprefix('model.')
        source = given.get(name, given.get(short))
        found[name] = source is not None and torch.equal(tensor, source)
    return found


@pytest.mark.parametrize('name', OBEYED)
def test_weights_that_are_asked_for_are_in_the_model(name, build_way, files):
    way = OBEYED[name]
    found = same(build_way(way), files, way)
    for parameter, equal in found.items():
        wanted = any(parameter.startswith(f'{part}.') for part in way.takes)
        assert equal == wanted, parameter
    assert not way.takes or any(found.values())


@pytest.mark.parametrize('name', REFUSED)
def test_weights_that_cannot_be_taken_are_two_lines(name, build_way):
    with pytest.raises(AmlnnError) as error:
        build_way(REFUSED[name])
    message, hint = error.value.message, error.value.hint
    assert all(word in message for word in REFUSED[name].refused), message
    assert hint and '\n' not in message + hint


SHIPPED = 'mmpretrain::swav/benchmarks/resnet50_8xb512-linear-coslr-90e_in1k.py'


@pytest.fixture
def over_shipped(files, data_set, monkeypatch):
    """Builds what a child of a file of MMPretrain's says, whose backbone has an init_cfg."""
    monkeypatch.chdir(files)

    def built(more: str, options=()) -> torch.nn.Module:
        roots = ''.join(f'{part}_dataloader = dict(dataset=dict(data_root={str(data_set)!r}))\n'
                        for part in ('train', 'val'))
        Path('child.py').write_text(
            f"_base_ = '{SHIPPED}'\nmodel = dict(head=dict(in_channels=512, num_classes=5), "
            f'{more})\n{roots}test_dataloader = test_cfg = test_evaluator = None\n')
        return build(Path('child.py'), options)

    return built


def test_an_init_cfg_of_mmpretrains_files_is_obeyed_once_it_names_a_file(over_shipped, files):
    with pytest.raises(AmlnnError, match=r'backbone.init_cfg` names no file') as error:
        over_shipped('backbone=dict(depth=18)')
    assert 'model.backbone.init_cfg.checkpoint=' in error.value.hint
    torch.save({f'backbone.{name}': tensor for name, tensor in torch.load(
        files / 'torchvision.pth', weights_only=True).items()}, files / 'swav.pth')
    way = Way(takes=BACKBONE, file='torchvision.pth')
    model = over_shipped('backbone=dict(depth=18)',
                         ['model.backbone.init_cfg.checkpoint=swav.pth'])
    assert {name for name, equal in same(model, files, way).items() if equal} == {
        name for name, _ in model.named_parameters() if name.startswith('backbone.')}
    model = over_shipped('backbone=dict(depth=18), pretrained=None')
    assert not any(same(model, files, way).values())
    with pytest.raises(AmlnnError) as error:
        over_shipped("backbone=dict(depth=18), pretrained='torchvision.pth'")
    assert 'child.py:2' in error.value.message and SHIPPED in error.value.message


def test_what_leaves_weights_out_is_said(files, data_set, monkeypatch):
    monkeypatch.chdir(files)
    write_tiny_config(files / 'base.py', data_set,
                      f'model = dict(backbone=dict({init("nowhere.pth")}))')
    Path('child.py').write_text("_base_ = 'base.py'\nmodel = dict(pretrained=None)\n")
    notes = load_config('child.py').notes
    assert notes == ['child.py:2: `model.pretrained` is None, which leaves out '
                     '`model.backbone.init_cfg` of base.py:4']
    notes = open_task(load_config('base.py'), 'cpu', pretrained='none').plan.notes
    assert '--pretrained none leaves out `model.backbone.init_cfg` of base.py:4' in notes


def test_other_initialisations_of_a_backbone_stay_where_weights_are_named_or_none(
        files, data_set, monkeypatch):
    monkeypatch.chdir(files)
    section = "init_cfg=[dict(type='Constant', layer='BatchNorm2d', val=0.75)]"
    for pretrained in ('pretrained=None, ', ''):
        config = write_tiny_config(files / 'base.py', data_set,
                                   f'model = dict({pretrained}backbone=dict({section}))')
        model = build(config)
        assert torch.all(model.backbone.layer1[0].bn1.weight == 0.75)


def test_a_part_that_does_not_load_what_its_init_cfg_names_is_an_error(build_way, monkeypatch):
    monkeypatch.setattr('mmpretrain.models.heads.LinearClsHead.init_weights', lambda self: None)
    with pytest.raises(AmlnnError, match=r'head.init_cfg` names the weights `head.pth`, and that'):
        build_way(OBEYED['head.init_cfg'])


@pytest.mark.parametrize('begun', ['whole.pth', 'none'])
def test_a_resumed_run_goes_on_with_the_weights_that_it_began_with(
        begun, files, data_set, tmp_path, monkeypatch):
    """Stopped in its first epoch, it has no checkpoint to take them from."""
    monkeypatch.chdir(files)
    config = write_tiny_config(
        files / 'base.py', data_set, f'model = dict(backbone=dict({init("backbone.pth")}))',
        epochs=1)
    loaded = []
    build_model = ImageTask.build_model

    def noted(self, weights=True):
        model, said = build_model(self, weights)
        loaded.append(said)
        return model, said

    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageTask, 'build_model', noted)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr('amlnn.engine.train.Training.train', stop)
        train(TrainOptions(config, work_dir=tmp_path / 'runs', pretrained=begun))
    train(TrainOptions(config, work_dir=tmp_path / 'runs', resume=''))
    assert loaded[0] == loaded[-1] and ('whole.pth' in str(loaded[0])) == (begun != 'none')
    assert begun != 'none' or loaded[0] is None
