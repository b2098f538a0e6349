"""What a config may import and put under a key, though none of it is data."""


class Hostile:
    def __repr__(self):
        raise RuntimeError('no repr')

    __str__ = __repr__


class Equal:
    def __eq__(self, other):
        raise RuntimeError('no eq')

    __hash__ = None


class Truth:
    def __bool__(self):
        raise RuntimeError('no bool')

    __len__ = __bool__


class Attributes:
    def __getattribute__(self, name):
        raise RuntimeError('no attributes')


class Text(str):
    def __repr__(self):
        raise RuntimeError('no repr')

    def __eq__(self, other):
        raise RuntimeError('no eq')

    __hash__ = str.__hash__


class Number(int):
    def __repr__(self):
        raise RuntimeError('no repr')

    def __lt__(self, other):
        raise RuntimeError('no order')


class Mapping(dict):
    def __getitem__(self, key):
        raise RuntimeError('no item')

    def items(self):
        raise RuntimeError('no items')


class Sequence(list):
    def __iter__(self):
        raise RuntimeError('no iter')


def function(*args):
    raise RuntimeError('called')


def recursive_dict():
    made = {}
    made['a'] = made
    return made


def recursive_list():
    made = []
    made.append(made)
    return made


def deep_list(depth=2000):
    made = []
    for _ in range(depth):
        made = [made]
    return made


def deep_dict(depth=2000):
    made = {}
    for _ in range(depth):
        made = {'a': made}
    return made
