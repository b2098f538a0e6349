"""The same LSTM in Keras and in neuralforecast: what benchmarks/forecasting.py runs, each in its
own environment.

python benchmarks/forecasting_peers.py keras given.json result.json

`given.json` holds the sizes and the path of a .npy, scaled float32 [rows, columns]. Nothing of
amlnn is imported, and nothing that only the other needs.
"""

import itertools
import json
import os
import statistics
import sys
import time
from pathlib import Path

EVALUATIONS = 4


def main() -> None:
    """Train and evaluate; write the seconds."""
    peer, given, result = sys.argv[1:]
    sizes = json.loads(Path(given).read_text())
    Path(result).write_text(json.dumps(PEERS[peer](sizes)))


def time_keras(sizes: dict) -> dict:
    """Windows of every column are samples of their own; fit shuffles them."""
    os.environ['KERAS_BACKEND'] = 'torch'
    import keras
    import numpy as np
    import torch
    torch.set_num_threads(sizes['threads'])
    keras.utils.set_random_seed(0)
    length = sizes['look_back'] + sizes['horizon']
    train_end, val_end, test_end = sizes['borders']
    values = np.load(sizes['values'])

    def windows(first, stop):
        view = np.lib.stride_tricks.sliding_window_view(values[first:stop], length, axis=0)
        each = np.ascontiguousarray(view).reshape(-1, length)  # [windows times columns, rows]
        return each[:, :sizes['look_back'], None], each[:, sizes['look_back']:]

    model = keras.Sequential([
        keras.Input((sizes['look_back'], 1)),
        *[keras.layers.LSTM(sizes['hidden_size'], return_sequences=layer < sizes['layers'] - 1)
          for layer in range(sizes['layers'])],
        keras.layers.Dense(sizes['horizon'])])
    model.compile(keras.optimizers.Adam(0.001), loss='mse', metrics=['mae'])
    seconds = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.begin)

    x, y = windows(0, train_end)
    columns = values.shape[1]
    model.fit(x, y, batch_size=sizes['batch'] * columns, epochs=sizes['epochs'], verbose=0,
              callbacks=[Clock()])
    x, y = windows(val_end - sizes['look_back'], test_end)
    evaluations = []
    for _ in range(EVALUATIONS):
        begin = time.perf_counter()
        error = model.evaluate(x, y, batch_size=sizes['evaluation_batch'] * columns, verbose=0)[0]
        evaluations.append(time.perf_counter() - begin)
    return _result(seconds, evaluations, error, len(x) // columns, model.count_params())


def time_neuralforecast(sizes: dict) -> dict:
    """Every column is a series; as many windows are drawn per step as the others have in a batch.

    An epoch is as many steps as the others take. Logging, progress bar, validation and checkpoints
    are off, and only whole windows count. `cross_validation` of the fitted network gives a data
    frame of all test forecasts; how long the network's own `predict` takes is kept beside.
    """
    import logging
    import warnings

    import numpy as np
    import pandas as pd
    import torch
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import LSTM
    from neuralforecast.tsdataset import TimeSeriesDataset
    from pytorch_lightning.callbacks import Callback
    warnings.simplefilter('ignore')
    logging.getLogger('pytorch_lightning').setLevel(logging.ERROR)
    torch.set_num_threads(sizes['threads'])
    train_end, val_end, test_end = sizes['borders']
    values = np.load(sizes['values'])
    columns = values.shape[1]

    def frame(stop):
        return pd.DataFrame({
            'unique_id': np.repeat(np.arange(columns), stop),
            'ds': np.tile(np.arange(stop), columns), 'y': values[:stop].T.reshape(-1)})

    windows = train_end - sizes['look_back'] - sizes['horizon'] + 1
    steps = -(-windows // sizes['batch'])
    ends = []

    class Clock(Callback):
        def on_train_start(self, trainer, module):
            ends.append(time.perf_counter())

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            if trainer.global_step % steps == 0:
                ends.append(time.perf_counter())

    model = LSTM(
        h=sizes['horizon'], input_size=sizes['look_back'], encoder_n_layers=sizes['layers'],
        encoder_hidden_size=sizes['hidden_size'], decoder_layers=1, recurrent=False, loss=MSE(),
        max_steps=steps * sizes['epochs'], learning_rate=0.001, scaler_type='identity',
        batch_size=columns, windows_batch_size=sizes['batch'] * columns,
        inference_windows_batch_size=sizes['evaluation_batch'] * columns,
        training_data_availability_threshold=1.0, random_seed=0,
        val_check_steps=steps * sizes['epochs'], accelerator='cpu', logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        callbacks=[Clock()])
    forecaster = NeuralForecast([model], freq=1)
    forecaster.fit(frame(train_end))
    seconds = [end - begin for begin, end in itertools.pairwise(ends)]
    test = frame(test_end)
    evaluations, alone = [], []
    for _ in range(EVALUATIONS):
        begin = time.perf_counter()
        found = forecaster.cross_validation(test, n_windows=None, test_size=test_end - val_end,
                                            step_size=1, refit=False, use_fitted=True)
        difference = found['LSTM'].to_numpy() - found['y'].to_numpy()
        error = np.square(difference).mean()
        np.abs(difference).mean()
        evaluations.append(time.perf_counter() - begin)
    series = TimeSeriesDataset.from_df(test)[0]
    model.set_test_size(test_end - val_end)
    for _ in range(EVALUATIONS):
        begin = time.perf_counter()
        model.predict(series, step_size=1)
        alone.append(time.perf_counter() - begin)
    test_windows = len(difference) // sizes['horizon'] // columns
    result = _result(seconds, evaluations, error, test_windows,
                     sum(each.numel() for each in model.parameters()))
    return {**result, 'forward_alone': statistics.median(alone[1:])}


def _result(seconds: list[float], evaluations: list[float], error: float, test_windows: int,
            parameters: int) -> dict:
    return dict(first=seconds[0], train=statistics.median(seconds[1:]), epochs=seconds,
                evaluate=statistics.median(evaluations[1:]), evaluations=evaluations,
                test_mse=float(error), test_windows=test_windows, parameters=parameters)


PEERS = {'keras': time_keras, 'neuralforecast': time_neuralforecast}


if __name__ == '__main__':
    main()
