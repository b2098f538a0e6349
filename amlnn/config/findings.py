"""What the check finds wrong, and how it is put to the user."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from amlnn.config.located import OPTIONS, Located, Place
from amlnn.config.structure import RESERVED_IN_DICTS
from amlnn.suggest import distance, is_near, nearest

__all__ = ['Finding', 'Findings', 'UnknownKey']


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    place: Place
    message: str
    hint: str = ''
    rank: int = 0
    """The finding of the lowest rank is shown first."""


@dataclass(frozen=True)
class UnknownKey:
    """A key that is not known where it stands."""

    place: Place
    at: str
    """Dotted key of the dict that it is in, '' at the top."""
    key: str
    owner: str
    """What does not take it: a class, or '' for a plain section."""
    known: tuple[str, ...]
    """What is known there."""
    shown: tuple[str, ...]
    """What of that is worth showing."""
    lenient: bool = False
    """Only a near miss is an error."""
    holder: Located | None = field(default=None, compare=False)
    """The dict to remove it from where MMPretrain's file has it and MMEngine ignores it."""

    @property
    def dotted(self) -> str:
        return f'{self.at}.{self.key}' if self.at else self.key


@dataclass
class Findings:
    """All that is found; unknown keys are judged at the end, when all known names are known."""

    errors: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[UnknownKey] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    """Every argument that some place takes, with the first such place."""

    def add(self, place: Place, message: str, hint: str = '', rank: int = 0,
            lenient: bool = False) -> None:
        """Record an error, or where the file may have it, a note."""
        if lenient:
            self.notes.append(f'{place}: {message}')
        else:
            self.errors.append(Finding(place, message, hint, rank))

    def know(self, at: str, names: Iterable[str]) -> None:
        """Remember that `at` takes `names`."""
        for name in names:
            self.places.setdefault(name, at)

    def judge_unknown(self) -> None:
        """Turn the unknown keys into errors and notes."""
        for item in self.unknown:
            if item.place.shipped and item.holder is not None:
                dict.pop(item.holder, item.key, None)
        # A list written once and used twice is wrong once.
        for item in {(item.place, item.key, item.owner): item for item in
                     reversed(self.unknown)}.values():
            # MMPretrain writes `_delete` for `_delete_` in places, and its files have to load.
            near = nearest(item.key, item.known if item.place.shipped
                           else (*item.known, *RESERVED_IN_DICTS))
            # A key that is likely misspelt comes before what follows from it.
            rank = 0 if near and distance(near[0], item.key) == 1 else 1
            owner = f'an argument of {item.owner}' if item.owner else 'known here'
            message = f'`{item.dotted}` is not {owner if item.at else "a key of a config"}'
            lenient = item.lenient or item.place.shipped
            if lenient and not is_near(item.key, item.known):
                ignored = item.place.shipped and item.holder is not None
                self.notes.append(f'{item.place}: {message}{", and left out" if ignored else ""}')
            else:
                self.errors.append(Finding(item.place, message, self._hint(item, near), rank))

    def _hint(self, item: UnknownKey, near: list[str]) -> str:
        if not item.at:
            return self._hint_at_top(item, near)
        shown = ', '.join(item.shown[:12]) + (', ...' if len(item.shown) > 12 else '')
        takes = f'{item.owner or "`" + (item.at or "a config") + "`"} takes {shown or "nothing"}'
        home = self.places.get(item.key)
        if item.known == ('type',):
            return 'did you mean `type`? Every class is named by its `type`'
        if near and (home is None or is_near(item.key, near[:1])):
            return f'did you mean `{near[0]}`? {takes}'
        if home is not None and home != item.at:
            return f'`{item.key}` belongs to {f"`{home}`" if home else "the top level"}; {takes}'
        elsewhere = nearest(item.key, self.places, 1)
        if elsewhere and len(item.key) > 3:  # of short names one or another is always near
            home = self.places[elsewhere[0]]
            return f'did you mean `{home}.{elsewhere[0]}`? {takes}' if home \
                else f'did you mean `{elsewhere[0]}` at the top level? {takes}'
        return takes

    def _hint_at_top(self, item: UnknownKey, near: list[str]) -> str:
        home = self.places.get(item.key)
        if near and (not home or is_near(item.key, near[:1])):
            return f'did you mean `{near[0]}`?'
        if home:
            return f'`{item.key}` belongs to `{home}`'
        elsewhere = nearest(item.key, self.places, 1)
        if elsewhere and self.places[elsewhere[0]]:
            return f'did you mean `{self.places[elsewhere[0]]}.{elsewhere[0]}`?'
        if item.place == OPTIONS:
            return 'python tools/check_config.py --show CONFIG prints all keys'
        return f'a name of your own has to be used by its file, and `{item.key}` is not: ' \
               'use it, or take it out'
