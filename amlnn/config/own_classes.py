"""What a user's own modules register, against what is registered already."""

from amlnn.config.findings import Findings
from amlnn.config.located import Located
from amlnn.config.scan import Module
from amlnn.config.signatures import Library, library

__all__ = ['check_own_modules']


def check_own_modules(config: Located, found: Library, findings: Findings) -> None:
    """Find modules of `custom_imports` that are not there, and names that are taken.

    MMEngine would build whichever class its search comes to first, and say nothing.

    Args:
        config: The resolved config.
        found: What can be named.
        findings: Where to put what is wrong.

    >>> from amlnn.config.located import Place, located
    >>> from amlnn.config.signatures import library_of
    >>> config = located(dict(custom_imports=dict(imports=['no_such_parts'])), Place('small.py', 3))
    >>> findings = Findings()
    >>> check_own_modules(config, library_of(config), findings)
    >>> [(str(each.place), each.message) for each in findings.errors]
    [('small.py:3', 'custom_imports names `no_such_parts`, and there is no such module')]
    """
    section = config.get('custom_imports')
    if not isinstance(section, Located):
        return
    place = section.place('imports')
    names = section.get('imports')
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list | tuple) or not all(
            isinstance(name, str) and name for name in listed):
        findings.add(config.place('custom_imports'), '`custom_imports.imports` is '
                     f'{"not there" if names is None else repr(names)}, and has to list modules',
                     hint="custom_imports = dict(imports=['my_parts'])", rank=1)
        return
    for module in found.own:
        if module in found.modules or any(name.startswith(f'{module}.') for name in found.modules):
            continue
        message = f'custom_imports names `{module}`, and there is no such module'
        findings.add(place, message, hint=f'put `{module.top}.py` beside the config, or set '
                     'PYTHONPATH to its folder', rank=0,
                     lenient=section.get('allow_failed_imports') is True)
    _check_names(found, findings, section)


def _check_names(found: Library, findings: Findings, section: Located) -> None:
    before = {(registry, name): module for module, content in library().modules.items()
              for registry, name, _ in content['registered']}
    for module in [name for name in found.modules if name not in library().modules]:
        content = found.modules[module]
        for registry, name, local in content['registered']:
            other = before.get((registry, name))
            before[registry, name] = module
            if other is None or (name in content['forced'] and
                                 _replaces(registry, content, other)):
                continue
            findings.add(
                section.place('imports'), f'`{module}` of custom_imports registers `{name}`, and '
                f'so does {other}' + (', which `force` does not replace from another registry'
                                      if name in content['forced'] else ''),
                hint=f'a name of its own: @{registry}.register_module(name=\'Own{local}\')', rank=0)


def _replaces(registry: str, content: Module, other: str) -> bool:
    """Whether a class that is registered by force takes the place of another module's."""
    package = content['imports'].get(registry, '').partition('.')[0]
    return (package == 'mmpretrain') == other.startswith('mmpretrain.')
