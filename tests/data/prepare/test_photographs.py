import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from amlnn.data.prepare.photographs import write_photographs


def test_the_files_are_the_two_photographs_as_scikit_learn_reads_them(tmp_path):
    for _ in range(2):
        write_photographs(tmp_path / 'photographs')
    files = sorted((tmp_path / 'photographs').iterdir())
    assert [file.name for file in files] == ['china.jpg', 'flower.jpg']
    for file in files:
        assert np.array_equal(np.asarray(Image.open(file)), load_sample_image(file.name))
