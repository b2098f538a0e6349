"""What takes OpenVINO's place where a test asks how an engine is chosen."""

from types import SimpleNamespace

import torch


class StandIn:
    """An engine whose features are a little larger than torch's.

    Args:
        trunk: Whose stages it computes.
        error: Relative to torch's.
    """

    converted = 0

    def __init__(self, trunk, error):
        self.trunk, self.error = trunk, error

    def infer(self, inputs, share_inputs):
        with torch.no_grad():
            # One by one: an image's features have the same bits in every batch.
            y = torch.cat([self.trunk._run_stages(image)
                           for image in torch.from_numpy(inputs[0]).split(1)])
        self.result = (y.permute(0, 2, 3, 1) if y.ndim == 4 else y) * (1 + self.error)

    def get_output_tensor(self):
        return SimpleNamespace(data=self.result.contiguous().numpy())
