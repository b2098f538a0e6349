"""What the machine is, what it could compute, and what engines make of it: for every benchmark.

python benchmarks/machine.py GIVEN.json RESULT.json [PAGE.md]

In a process of its own, so that nothing else of a benchmark is in memory: the matrix product in
float32, bfloat16 and 8 bits, by torch and by OpenVINO as far as they have it, the best of which is
called the machine's peak; and images a second of a config's backbone by every engine that is there.
`GIVEN.json` has `config`, `cfg_options` and `batch`; `PAGE.md` gets the tables.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_UNITS = ('amx_tile', 'amx_bf16', 'amx_int8', 'avx512_bf16', 'avx512_vnni', 'avx_vnni', 'avx512f',
          'avx2')
_PACKAGES = ('amlnn', 'torch', 'openvino', 'nncf', 'onedl-mmpretrain', 'onedl-mmengine', 'timm')


def emptied(folder: Path) -> Path:
    """A folder without what an earlier benchmark left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def timed(command: list[str], log: Path, folder: Path, **environment: str) -> float:
    """Run a command, keep its output, and give its seconds."""
    begin = time.perf_counter()
    with open(log, 'w') as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=folder,
                                env={**os.environ, **environment}).returncode
    if status:
        sys.exit(f'error: `{" ".join(command[:3])}` failed\nhint: see {log}')
    return time.perf_counter() - begin


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` indices, evenly spaced, so that every class is met."""
    wanted = min(count, wanted)
    return [index * count // wanted for index in range(wanted)]


def sizes_of(data: Path) -> dict[str, int]:
    """Images of a data set of data_preprocess.py by part, and its classes."""
    return {name: len((data / f'{name}.txt').read_text().splitlines())
            for name in ('train', 'val', 'classes')}


def processor(information: str | None = None) -> dict:
    """Name and arithmetic units of the processor, as far as the system tells them.

    Args:
        information: What Linux has in /proc/cpuinfo; None is this machine's.
    """
    if information is None:
        information = ''
        with suppress(OSError):
            information = Path('/proc/cpuinfo').read_text()
    lines = dict(line.split(':', 1) for line in reversed(information.splitlines()) if ':' in line)
    lines = {name.strip(): text.strip() for name, text in lines.items()}
    flags = lines.get('flags', '').split()
    return {'name': lines.get('model name', 'unknown'), 'cores': os.cpu_count(),
            'units': [unit for unit in _UNITS if unit in flags], 'amx': 'amx_tile' in flags}


def has_bfloat16(information: str | None = None) -> bool:
    """Whether the processor computes in bfloat16; arguments of `processor`."""
    return bool({'amx_bf16', 'avx512_bf16'} & set(processor(information)['units']))


def versions() -> dict[str, str]:
    """Of the packages that compute."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def described(parts: dict) -> str:
    """The machine in a sentence or two."""
    cpu = parts['processor']
    return (f'{cpu["name"]}, {cpu["cores"]} cores, {"with" if cpu["amx"] else "without"} AMX '
            f'({", ".join(cpu["units"])}); {parts["device"]}, {parts["threads"]} threads; '
            + ', '.join(f'{name} {each}' for name, each in parts['versions'].items()))


def share(parts: dict, precision: str, rate: float) -> float | None:
    """What images a second are of the machine's peak in a precision."""
    peak = max(parts['peaks'].get(precision, {}).values(), default=None)
    return peak and rate * parts['flops'] / peak


def percent(part: float | None) -> str:
    """A share as text."""
    return '-' if part is None else f'{100 * part:.0f} %'


def tables(parts: dict) -> str:
    """Peaks and engines in Markdown."""
    lines = ['| matrix product | ' + ' | '.join(parts['peaks']) + ' |',
             '| --- |' + ' ---: |' * len(parts['peaks'])]
    for library in ('torch', 'openvino'):
        found = [parts['peaks'][precision].get(library) for precision in parts['peaks']]
        if any(found):
            shown = ' | '.join(f'{each / 1e12:.2f}' if each else '-' for each in found)
            lines.append(f'| {library}, 10^12 operations a second | {shown} |')
    lines += ['', '| the backbone alone, by | images a second | share of the peak |',
              '| --- | ---: | ---: |']
    lines += [f'| {name} | {rate:.1f} | {percent(share(parts, name.split()[-1], rate))} |'
              for name, rate in parts['engines'].items()]
    return '\n'.join(lines)


def page_of(parts: dict, config: str, batch: int) -> str:
    """The tables under a title that says what they are of."""
    return '\n'.join([
        f'# Engines for the backbone of {config}', '',
        'Written by `python benchmarks/machine.py GIVEN.json RESULT.json PAGE.md`.', '',
        f'{described(parts)}.', '', f'Batch {batch}, random images of the size of the config; '
        f'decoding and augmentation take {1e3 * parts["decode"]:.1f} ms of one core an image. '
        'On a GPU torch rounds what convolutions in fp32 multiply to TF32, and of its matrix '
        'product nothing.', '', tables(parts)]) + '\n'


def measure(config: Path, options: list[str], out: Path, batch: int) -> dict:
    """Measure in a process of its own; see the top."""
    out.mkdir(parents=True, exist_ok=True)
    (out / 'given.json').write_text(json.dumps(
        {'config': str(config), 'cfg_options': options, 'batch': batch}))
    timed([sys.executable, __file__, str(out / 'given.json'), str(out / 'parts.json')],
          out / 'log.txt', ROOT)
    return json.loads((out / 'parts.json').read_text())


def best(function: Callable[[], object], repeats: int = 9, wait: Callable | None = None) -> float:
    """The least seconds of several runs; the first one only warms."""
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        function()
        if wait:
            wait()
        seconds.append(time.perf_counter() - begin)
    return min(seconds[1:])


def peaks(device: str, side: int) -> dict[str, dict[str, float]]:
    """Operations a second of a matrix product, by precision and library."""
    import torch
    wait = torch.cuda.synchronize if device == 'cuda' else None
    found: dict[str, dict[str, float]] = {'fp32': {}, 'bf16': {}, 'int8': {}}
    left, right = (torch.randn(side, side, device=device) for _ in range(2))
    whole = [(torch.rand(side, side, device=device) * 200 - 100).to(torch.int8) for _ in range(2)]
    products = {'fp32': lambda: left @ right, 'bf16': None,
                'int8': lambda: torch._int_mm(*whole)}
    rounded = left.bfloat16(), right.bfloat16()
    products['bf16'] = lambda: rounded[0] @ rounded[1]
    for precision, product in products.items():
        with suppress(RuntimeError, NotImplementedError):  # no product of integers everywhere
            found[precision]['torch'] = 2 * side ** 3 / best(product, 5, wait)
    if device == 'cpu' and 'openvino' in versions():
        for precision in found:
            found[precision]['openvino'] = 2 * side ** 3 / best(openvino_product(side, precision),
                                                                5)
    return found


def openvino_product(side: int, precision: str) -> Callable[[], object]:
    """A function that multiplies two matrices by OpenVINO."""
    import numpy as np
    import torch

    from amlnn.openvino_library import import_openvino, openvino_core
    openvino = import_openvino()
    ops = openvino.opset13
    generator = np.random.default_rng(0)
    values = [generator.uniform(-1, 1, (side, side)).astype(np.float32) for _ in range(2)]
    given = ops.parameter([side, side], np.float32)
    factors = [given, ops.constant(values[1])]
    if precision == 'int8':  # what is rounded to 256 steps is multiplied as integers
        limits = [np.float32(-1), np.float32(1)] * 2
        factors = [ops.fake_quantize(each, *limits, 255 if place else 256)
                   for place, each in enumerate(factors)]
    model = openvino.Model([ops.matmul(*factors, False, False)], [given])
    request = openvino_core().compile_model(model, 'CPU', {
        'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_NUM_THREADS': torch.get_num_threads(),
        'INFERENCE_PRECISION_HINT': 'bf16' if precision == 'bf16' else 'f32',
        'ENABLE_CPU_PINNING': False}).create_infer_request()
    return lambda: request.infer({0: values[0]}, share_inputs=True)


def engines(model, device: str, batch: int, side: int) -> dict[str, float]:
    """Images a second of a classifier's backbone and pooling by every engine and precision."""
    import torch

    from amlnn.engine.precision import autocast, has_fast_bfloat16
    from amlnn.models.images.freezing import freeze
    from amlnn.models.images.int8_trunk import Int8Trunk
    from amlnn.models.images.openvino_trunk import OpenVINOTrunk
    from amlnn.models.images.trunk import Trunk
    from amlnn.openvino_library import nncf_version, openvino_version
    freeze(model.backbone, 'all')
    model.eval()
    wait = torch.cuda.synchronize if device == 'cuda' else None
    images = torch.randn(batch, 3, side, side, device=device)

    def own(precision: str) -> Callable:
        def run(images):
            with torch.inference_mode(), autocast(device, precision):
                return model.extract_feat(images)
        return run

    precisions = ('fp32', 'bf16') if has_fast_bfloat16(device) else ('fp32', )
    builders: dict[str, Callable] = {}
    for precision in precisions:
        builders[f'torch {precision}'] = lambda given=precision: own(given)
        builders[f'torch-folded {precision}'] = lambda given=precision: Trunk(
            model, precision=given, graphs=False)
        if device == 'cuda':
            builders[f'torch-folded, CUDA graphs {precision}'] = lambda given=precision: Trunk(
                model, precision=given)
            builders[f'torch-folded, compiled {precision}'] = lambda given=precision: Trunk(
                model, precision=given, compile=True)
        if device == 'cpu' and openvino_version():
            builders[f'openvino {precision}'] = lambda given=precision: OpenVINOTrunk(
                model, precision=given)
    if device == 'cpu' and openvino_version() and nncf_version():
        builders['openvino int8'] = lambda: Int8Trunk(
            model, torch.randn(16, 3, side, side), precision=precisions[-1])
    rates = {}
    for name, build in builders.items():
        run = build()
        for _ in range(3):  # a graph is captured in the third call
            run(images)
        rates[name] = batch / best(lambda run=run: run(images), 5, wait)
    return rates


def main() -> None:
    """Measure what `GIVEN.json` says."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from amlnn.config.load import load_config
    from amlnn.engine.device import choose_device, device_name
    from amlnn.engine.kinds import in_scope, open_task
    given, result, *pages = map(Path, sys.argv[1:])
    wanted = json.loads(given.read_text())
    device = choose_device('auto')
    loaded = load_config(Path(wanted['config']), [*wanted['cfg_options'],
                                                  'train_dataloader.num_workers=0'])
    task = open_task(loaded, device, pretrained='none')
    with in_scope(loaded.config):
        loader = task.loader('train')
        begin = time.perf_counter()
        count = sum(len(batch['data_samples']) for batch in loader)
        decoding = (time.perf_counter() - begin) / count
        side = loader.dataset[0]['inputs'].shape[-1]
        model, _ = task.build_model(weights=False)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()
            model.backbone(torch.randn(1, 3, side, side, device=device))
        rates = engines(model, device, wanted['batch'], side)
    parts = {
        'processor': processor(), 'versions': versions(), 'device': device_name(device),
        'threads': torch.get_num_threads(), 'precision': task.plan.precision,
        'peaks': peaks(device, 8192 if device == 'cuda' else 4096),
        'flops': counter.get_total_flops(), 'decode': decoding, 'engines': rates}
    result.write_text(json.dumps(parts, indent=1))
    for page in pages:
        page.write_text(page_of(parts, Path(wanted['config']).stem, wanted['batch']))


if __name__ == '__main__':
    main()
