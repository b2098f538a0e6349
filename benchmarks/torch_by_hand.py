"""ResNet50 fine-tuned by a plain loop of torch, as one writes it by hand, and written well.

python benchmarks/torch_by_hand.py GIVEN.json RESULT.json

Frozen stages run in eval mode without gradients, everything in bfloat16 where the processor has it
and with channels last; workers decode and crop, and the loop normalises whole batches.
`benchmarks/finetune.py --peers` writes GIVEN.json and reads the seconds of every epoch. Nothing of
amlnn is imported.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.models import resnet50
from torchvision.transforms import v2

MEAN, DEVIATION = (torch.tensor(each).view(1, 3, 1, 1) for each in (
    (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
STAGES = ('layer1', 'layer2', 'layer3', 'layer4')


class Images(Dataset):
    """Cropped images in 8 bits, and their labels."""

    def __init__(self, images: list, views: nn.Module):
        self.images, self.views = images, views

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.images[index]
        return self.views(decode_image(read_file(path), mode=ImageReadMode.RGB)), label


class Network(nn.Module):
    """ResNet50 of which the stem and the first stages stand still.

    Args:
        network: torchvision's.
        frozen: Stages that are frozen beside the stem; -1 for nothing.
    """

    def __init__(self, network: nn.Module, frozen: int):
        super().__init__()
        stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        parts = [stem, *(getattr(network, name) for name in STAGES)]
        self.still = nn.Sequential(*parts[:frozen + 1])
        self.moving = nn.Sequential(*parts[frozen + 1:])
        self.end = nn.Sequential(network.avgpool, nn.Flatten(), network.fc)
        self.still.requires_grad_(False)

    def train(self, mode: bool = True) -> 'Network':
        super().train(mode)
        self.still.eval()
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            features = self.still(images)
        return self.end(self.moving(features))


def loaders(given: dict) -> tuple[DataLoader, DataLoader]:
    """Of training and validation."""
    flipped = v2.Compose([v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()])
    middle = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224)])
    options = dict(num_workers=given['workers'], persistent_workers=given['workers'] > 0)
    return (DataLoader(Images(given['images']['train'], flipped), given['batch'], shuffle=True,
                       **options),
            DataLoader(Images(given['images']['val'], middle), 64, **options))


def prepared(images: torch.Tensor) -> torch.Tensor:
    """Normalised, channels last."""
    return ((images - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def main() -> None:
    """Train; write the seconds of training and validation of every epoch."""
    given = json.loads(Path(sys.argv[1]).read_text())
    torch.manual_seed(0)
    network = resnet50(num_classes=given['classes'])
    network.load_state_dict(torch.load(given['weights'], weights_only=True)['state_dict'])
    model = Network(network, given['frozen']).to(memory_format=torch.channels_last)
    train, val = loaders(given)
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad],
                                lr=0.01, momentum=0.9, weight_decay=0.0001, fused=True)
    rounded = torch.autocast('cpu', torch.bfloat16, enabled=given['bfloat16'])
    seconds: dict[str, list[float]] = {'train': [], 'val': []}
    for _ in range(given['epochs']):
        begin = time.perf_counter()
        model.train()
        for images, labels in train:
            with rounded:
                loss = nn.functional.cross_entropy(model(prepared(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.save(model.state_dict(), 'checkpoint.pth')
        middle = time.perf_counter()
        model.eval()
        right = 0
        with torch.inference_mode(), rounded:
            for images, labels in val:
                right += int((model(prepared(images)).argmax(1) == labels).sum())
        seconds['train'].append(middle - begin)
        seconds['val'].append(time.perf_counter() - middle)
    Path(sys.argv[2]).write_text(json.dumps(
        {**seconds, 'top1': 100 * right / len(given['images']['val'])}))


if __name__ == '__main__':
    main()
