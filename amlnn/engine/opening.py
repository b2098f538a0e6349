"""From a loaded config to the task of a training, with everything asked that needs no model."""

from amlnn.command import shipped_config
from amlnn.config.check import check_parameters
from amlnn.config.load import LoadedConfig
from amlnn.config.run_keys import check_run_keys
from amlnn.engine.kinds import in_scope, task_class
from amlnn.engine.task import Task
from amlnn.errors import ConfigError

__all__ = ['check_trainable', 'open_to_train', 'parameter_names']


def check_trainable(loaded: LoadedConfig) -> list[str]:
    """Refuse a config that nothing can train, before anything slow is imported.

    Returns:
        Notes about keys without effect here.

    Raises:
        AmlnnError: data or sections are missing, or a key asks for what is not done here.
    """
    task_class(loaded.config).check_data(loaded.config, ('train', 'val'))
    _check_epochs(loaded)
    return check_run_keys(loaded)


def open_to_train(loaded: LoadedConfig, device: str, seed: int | None, pretrained: str | None,
                  notes: list[str]) -> Task:
    """The task of a config, within its scope (`in_scope`).

    Args:
        loaded: From `load_config`.
        device: 'cpu' or 'cuda'.
        seed: As of `Task.open`.
        pretrained: As of `Task.open`.
        notes: From `check_trainable`.

    Raises:
        AmlnnError: config, data and weights do not go together.
    """
    task = task_class(loaded.config).open(loaded, device, seed, pretrained)
    task.plan.notes += notes
    if not loaded.config.get('optim_wrapper') and not task.fitted_at_once:
        raise ConfigError(
            f'`{loaded.path}` has no `optim_wrapper`, by which its model is trained',
            hint=f'inherit a base from {shipped_config("configs/_base_/schedules")}')
    check_parameters(loaded, lambda model: parameter_names(loaded))
    return task


def parameter_names(loaded: LoadedConfig) -> list[str]:
    """Names of the parameters of a config's model, built without weights or data."""
    with in_scope(loaded.config):
        model = task_class(loaded.config).open_bare(loaded).bare_model()
    return [name for name, _ in model.named_parameters()]


def _check_epochs(loaded: LoadedConfig) -> None:
    section = loaded.config.get('train_cfg')
    if not section or not loaded.config.get('train_dataloader'):
        raise ConfigError(f'`{loaded.path}` has no `train_cfg` or no `train_dataloader`',
                          hint=f'inherit a base from {shipped_config("configs/_base_/schedules")} '
                          'and one from datasets')
    if section.get('max_epochs') is None or not section.get('by_epoch', True):
        raise ConfigError(
            f'`{loaded.path}` trains by iterations; runs here are counted in epochs',
            hint='train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=10, val_interval=1)')
