"""Class numbers of a data set's images, without opening any."""

import numpy as np

__all__ = ['single_labels']


def single_labels(dataset) -> np.ndarray | None:
    """The class of each image, int64 [N]; None where one has no single class.

    Args:
        dataset: Whose `get_data_info` knows the label.
    """
    labels = [dataset.get_data_info(place).get('gt_label') for place in range(len(dataset))]
    single = all(isinstance(label, int | np.integer) for label in labels)
    return np.array(labels, np.int64) if single else None
