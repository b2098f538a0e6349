"""What every backbone that has stages is held to: frozen means frozen, and a trunk changes nothing.
"""

# B batch

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from amlnn.models.images.freezing import freeze
from amlnn.models.images.probing import image_of, noise
from amlnn.models.images.stages import list_stages
from amlnn.models.images.survey import build_backbone
from amlnn.models.images.trunk import Trunk, extract_from, split_point


class Bare(nn.Module):
    """As much of a classifier as a trunk asks for."""

    neck = None
    with_neck = False

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone


def backbone_of(name: str) -> nn.Module:
    """With random weights, none of them the identity."""
    torch.manual_seed(0)
    backbone = build_backbone(name)
    for each in backbone.parameters():
        if each.ndim < 2:  # scales of layers begin at 1e-6, which hides what comes of them
            nn.init.uniform_(each, 0.5, 1)
    return backbone


def half_frozen(name: str) -> tuple[nn.Module, list]:
    """A backbone with the first half of its stages frozen, and these stages."""
    backbone = backbone_of(name)
    stages = list_stages(backbone)
    frozen = stages[:max(1, len(stages) // 2)]
    freeze(backbone, len(frozen) - (stages[0].name == 'stem'))
    return backbone, frozen


def everything(result) -> list[Tensor]:
    """The tensors of what a backbone gives."""
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]


def loss_of(result) -> Tensor:
    """A number that every output has its part in."""
    return sum(leaf.mean() + (leaf - 1).square().mean() for leaf in everything(result))


def bytes_of(backbone: nn.Module) -> dict[str, bytes]:
    """Of every tensor, by name."""
    return {name: tensor.detach().contiguous().numpy().tobytes()
            for name, tensor in backbone.state_dict().items()}


def moved_by_training(name: str) -> tuple[set[str], set[str], set[str]]:
    """Two steps with momentum and weight decay: what is frozen, what is trainable, what moved."""
    backbone, frozen = half_frozen(name)
    before = bytes_of(backbone)
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    images = noise(backbone, 4, image_of(backbone)).split(2)
    for batch in images:
        backbone.train()
        loss_of(backbone(batch)).backward()
        nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    after = bytes_of(backbone)
    inside = {key for key in before if any(stage.holds(key) for stage in frozen)}
    trainable = {key for key, each in backbone.named_parameters() if each.requires_grad}
    return inside, trainable, {key for key in before if before[key] != after[key]}


def with_and_without_trunk(name: str) -> list[tuple[list[Tensor], dict[str, Tensor]]]:
    """Outputs and gradients of a half-frozen backbone in train mode, and those past its trunk."""
    backbone, frozen = half_frozen(name)
    backbone.train()
    model = Bare(backbone)
    split = split_point(model)
    assert split == len(frozen)
    images = noise(backbone, 2, image_of(backbone))
    features = Trunk(model, split, 'fp32', fold=False)(images)
    found = []
    for run in (lambda: backbone(images), lambda: extract_from(model, features, split)):
        torch.manual_seed(1)
        with torch.no_grad():  # statistics of batch norms are those of one pass
            state = {key: value.clone() for key, value in backbone.state_dict().items()}
        result = run()
        loss_of(result).backward()
        found.append((everything(result), {key: each.grad for key, each in
                                           backbone.named_parameters() if each.grad is not None}))
        backbone.zero_grad(set_to_none=True)
        backbone.load_state_dict(state, strict=False)  # some have masks as buffers, for a size
    return found


__all__ = ['moved_by_training', 'with_and_without_trunk']
