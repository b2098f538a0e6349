"""The names and the folder that examples in docstrings are run with."""

import pytest


@pytest.fixture(autouse=True)
def in_an_example(request):
    """Run an example in an empty folder of its own, where it can write what it needs."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    import examples
    folder, patch = request.getfixturevalue('tmp_path'), request.getfixturevalue('monkeypatch')
    names = {name: getattr(examples, name) for name in examples.__all__}
    request.getfixturevalue('doctest_namespace').update(
        names, own_cache=lambda: patch.setenv('XDG_CACHE_HOME', str(folder / 'cache')))
    patch.chdir(folder)
