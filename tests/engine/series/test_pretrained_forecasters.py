"""Every way to name the weights of a forecaster is obeyed or refused."""

from pathlib import Path

import pytest
import torch
from generated import write_series, write_series_config

from amlnn.config.load import load_config
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A series, a config and a run of it."""
    folder = tmp_path_factory.mktemp('series')
    write_series(folder / 'series.csv')
    config = write_series_config(folder / 'first.py', folder / 'series.csv', epochs=1)
    train(TrainOptions(config, work_dir=folder / 'runs', device='cpu'))
    return folder


def built(folder: Path, text: str = '', options=(), pretrained=None):
    config = write_series_config(folder / 'child.py', folder / 'series.csv', text)
    loaded = load_config(config, list(options))
    task = open_task(loaded, 'cpu', pretrained=pretrained)
    with in_scope(loaded.config):
        return task.build_model()[0].state_dict()


def trained(folder: Path) -> dict:
    return torch.load(folder / 'runs/latest/best.pth', weights_only=True)['state_dict']


OBEYED = {
    'pretrained=FILE': dict(text="model = dict(pretrained='runs/latest/best.pth')"),
    'pretrained=RUN': dict(text="model = dict(pretrained='runs/latest')"),
    '--pretrained FILE': dict(pretrained='runs/latest/best.pth'),
    '--pretrained RUN': dict(pretrained='runs/latest'),
    '--pretrained over pretrained': dict(text="model = dict(pretrained='nowhere.pth')",
                                         pretrained='runs/latest'),
    '--cfg-options': dict(options=['model.pretrained=runs/latest/best.pth']),
}


@pytest.mark.parametrize('name', OBEYED)
def test_weights_that_are_asked_for_are_in_the_forecaster(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    expected, found = trained(folder), built(folder, **OBEYED[name])
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize('way', [dict(), dict(pretrained='none'), dict(
    text="model = dict(pretrained='nowhere.pth')", pretrained='none'), dict(
    text="model = dict(pretrained='nowhere.pth')", options=['model.pretrained=None'])])
def test_a_forecaster_begins_at_random_where_none_are(way, folder, monkeypatch):
    monkeypatch.chdir(folder)
    expected, found = trained(folder), built(folder, **way)
    assert not any(torch.equal(found[name], expected[name]) for name in found
                   if name.endswith('weight'))


INIT = "dict(type='Pretrained', checkpoint='runs/latest/best.pth')"


@pytest.mark.parametrize(('way', 'words'), [
    (dict(text=f'model = dict(init_cfg={INIT})'), ('child.py:3', 'model.init_cfg')),
    (dict(text=f'model = dict(init_cfg=[{INIT}])'), ('model.init_cfg',)),
    (dict(text=f'model = dict(encoder=dict(init_cfg={INIT}))'), ('model.encoder.init_cfg',)),
    (dict(options=['model.init_cfg.type=Pretrained', 'model.init_cfg.checkpoint=a.pth']),
     ('--cfg-options', 'model.init_cfg')),
    (dict(pretrained='timm://resnet18'), ('timm://resnet18', 'forecaster')),
    (dict(text="model = dict(pretrained='torchvision://resnet18')"), ('torchvision://',)),
    (dict(pretrained='nowhere'), ('nowhere',)),
    (dict(pretrained='page.pth'), ('HTML',)),
    (dict(pretrained='runs'), ('runs',)),
    (dict(text='model = dict(pretrained_head=True)'), ('pretrained_head',)),
    (dict(text="model = dict(pretrained='runs/latest', encoder=dict(hidden_size=9))"),
     ('another model', 'best.pth'))])
def test_what_a_forecaster_cannot_begin_with_is_two_lines(way, words, folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path('page.pth').write_text('<html></html>')
    with pytest.raises(AmlnnError) as error:
        built(folder, **way)
    message, hint = error.value.message, error.value.hint
    assert all(word.lower() in message.lower() for word in words), message
    assert hint and '\n' not in message + hint
