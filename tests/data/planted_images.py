"""Writes raw folders of images like photographs, and plants among them what is wrong with some.

python tests/data/planted_images.py FOLDER [SEED] writes one, and prints what was planted.
"""

import io
import sys
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

CLASSES = ('ash', 'birch', 'cedar')


def photograph(generator, size=(160, 120)):
    """An image with the spectrum of a photograph: soft light, shapes with edges, fine texture."""
    width, height = size
    waves = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.fftfreq(width)[None] ** 2
    fall = 1 / np.maximum(np.sqrt(waves), 1 / max(size))
    noise = generator.standard_normal((3, height, width))
    planes = np.fft.ifft2(np.fft.fft2(noise) * fall).real
    planes = planes[:1] * 0.8 + planes * 0.4
    planes *= 45 / planes.std()
    pixels = np.ascontiguousarray((planes + generator.uniform(90, 165)).transpose(1, 2, 0))
    for _ in range(6):
        centre = tuple(int(generator.integers(0, side)) for side in size)
        axes = tuple(int(generator.integers(4, max(6, side // 3))) for side in size)
        colour = generator.uniform(-70, 70, 3)
        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, centre, axes, float(generator.uniform(0, 180)), 0, 360, 1, -1)
        pixels += mask[..., None] * colour
    return np.clip(pixels, 0, 255).astype(np.uint8)


class Planter:
    """A raw folder, and what was put into it: `found` counts findings by kind."""

    def __init__(self, root, seed, clean=30, suffix='.jpg'):
        self.root, self.expected = Path(root), Counter()
        self.generator = np.random.default_rng([seed, zlib.crc32(b'planted')])
        for name in CLASSES:
            (self.root / name).mkdir(parents=True)
            for number in range(clean):
                self.save(self.root / name / f'{number:04d}{suffix}')

    def image(self, size=None):
        size = size or tuple(int(side) for side in self.generator.integers(96, 220, 2))
        return Image.fromarray(photograph(self.generator, size))

    def save(self, path, image=None, **options):
        if path.suffix == '.jpg':
            options = {'quality': int(self.generator.integers(80, 96)), **options}
        (image or self.image()).save(path, **options)
        return path

    def place(self, kind, number, suffix='.jpg'):
        """A path for a planted file, in any class."""
        path = self.root / CLASSES[self.generator.integers(len(CLASSES))] / \
            f'{kind}-{number:03d}{suffix}'
        assert not path.exists(), path
        return path

    def plant(self, kind, count):
        """Plant `count` of a kind by the method of its name."""
        for number in range(count):
            getattr(self, kind.replace('-', '_'))(number)

    def cmyk(self, number):
        self.save(self.place('cmyk', number), self.image().convert('CMYK'))
        self.expected['cmyk'] += 1

    def depth(self, number):
        """16 bits of which only 1,000 values are used: read as 8 bits, 3 is the largest."""
        grey = np.asarray(self.image().convert('L')).astype(np.float64)
        values = np.rint((grey - grey.min()) * 1000 / np.ptp(grey)).astype(np.uint16)
        assert cv2.imwrite(str(self.place('depth', number, '.png')), values)
        self.expected['depth'] += 1

    def opaque_alpha(self, number):
        image = self.image()
        image.putalpha(255)
        self.save(self.place('opaque', number, '.png'), image)
        self.expected['opaque-alpha'] += 1

    def transparent(self, number):
        image = self.image()
        image.putalpha(Image.linear_gradient('L').resize(image.size))
        self.save(self.place('transparent', number, '.png'), image)
        self.expected['transparent'] += 1

    def palette(self, number):
        self.save(self.place('palette', number, '.png'), self.image().quantize(200))
        self.expected['palette'] += 1

    def mixed(self, number):
        self.save(self.place('grey', number), self.image().convert('L'))
        self.expected['mixed'] += 1

    def turned(self, number):
        exif = Image.Exif()
        exif[274] = int(self.generator.integers(2, 9))
        self.save(self.place('turned', number), exif=exif)
        self.expected['turned'] += 1

    def large(self, number):
        """No more than a header is needed: what is said to follow is never decoded."""
        image = Image.new('1', (20_000, 6_000 + number))
        image.save(self.place('large', number, '.png'))
        self.expected['large'] += 1

    def copies(self, kind, number, first, second):
        image = self.image((200, 150))
        self.save(first / f'{kind}-{number:03d}.jpg', image, quality=92)
        target = second / f'{kind}-{number:03d}-again'
        way = number % 4
        if way == 0:
            self.save(target.with_suffix('.jpg'), image, quality=40)
        elif way == 1:
            self.save(target.with_suffix('.png'), image.resize((120, 90)))
        elif way == 2:
            self.save(target.with_suffix('.jpg'), image.resize((90, 68)), quality=70)
        else:
            self.save(target.with_suffix('.jpg'), image.resize((310, 230), 2), quality=85)

    def near_copy(self, number):
        folder = self.root / CLASSES[self.generator.integers(len(CLASSES))]
        self.copies('near', number, folder, folder)
        self.expected['near-copy'] += 1

    def near_conflict(self, number):
        first, second = self.generator.choice(len(CLASSES), 2, replace=False)
        self.copies('conflict', number, self.root / CLASSES[first], self.root / CLASSES[second])
        self.expected['near-conflict'] += 2

    def damaged(self, number):
        """The lower half of the scan is lost, and the file ends as if it were whole."""
        path = self.save(self.place('damaged', number))
        data = path.read_bytes()
        begin = data.rindex(b'\xff\xda') + 14
        keep = begin + int((len(data) - begin) * self.generator.uniform(0.3, 0.8))
        path.write_bytes(data[:keep].rstrip(b'\xff') + b'\xff\xd9')
        self.expected['damaged'] += 1

    def grey_end(self, number):
        """Damage as it was once decoded, saved again."""
        pixels = np.asarray(self.image((160, 160))).copy()
        pixels[80:] = 128
        self.save(self.place('grey-end', number), Image.fromarray(pixels))
        self.expected['grey-end'] += 1

    def wrong_ending(self, number):
        data = io.BytesIO()
        self.image().save(data, ('PNG', 'BMP')[number % 2])
        self.place('ending', number).write_bytes(data.getvalue())
        self.expected['wrong-ending'] += 1

    def trailing(self, number):
        path = self.save(self.place('trailing', number, ('.jpg', '.png', '.bmp')[number % 3]))
        extra = self.generator.integers(0, 256, int(self.generator.integers(1, 3000)))
        path.write_bytes(path.read_bytes() + extra.astype(np.uint8).tobytes())
        self.expected['trailing'] += 1

    def constant(self, number):
        colour = tuple(int(value) for value in self.generator.integers(0, 256, 3))
        self.save(self.place('constant', number, ('.jpg', '.png')[number % 2]),
                  Image.new('RGB', (90 + number, 80), colour))
        self.expected['constant'] += 1

    def faint(self, number):
        pixels = np.asarray(self.image()).astype(np.float64) / 255 * 9 + 120
        self.save(self.place('faint', number, '.png'), Image.fromarray(pixels.astype(np.uint8)))
        self.expected['faint'] += 1

    def aspect(self, number):
        size = (900, 30 + number) if number % 2 else (30 + number, 900)
        self.save(self.place('aspect', number), self.image(size))
        self.expected['aspect'] += 1

    def profile(self, number):
        """A profile by its name; nobody applies it."""
        from PIL import ImageCms
        plain = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
        self.save(self.place('profile', number), icc_profile=plain + b'\0Adobe RGB (1998)\0')
        self.expected['profile'] += 1

    def imbalance(self, number):
        """Classes of ten images beside far larger ones, if those are large."""
        folder = self.root / f'rare{number}'
        folder.mkdir()
        for place in range(10):
            self.save(folder / f'{place:04d}.jpg')
        self.expected['imbalance'] += 1


KINDS = ('cmyk', 'depth', 'opaque-alpha', 'transparent', 'palette', 'mixed', 'turned', 'large',
         'near-copy', 'near-conflict', 'damaged', 'grey-end', 'wrong-ending', 'trailing',
         'constant', 'faint', 'aspect', 'profile')


def plant_all(root, seed, clean=30, most=4):
    """Write a folder with 1 to `most` of each kind; returns the number of findings by kind."""
    planter = Planter(root, seed, clean)
    for kind in KINDS:
        planter.plant(kind, int(planter.generator.integers(1, most + 1)))
    return planter.expected


if __name__ == '__main__':
    planted = plant_all(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    for planted_kind, planted_count in sorted(planted.items()):
        print(planted_kind, planted_count)
