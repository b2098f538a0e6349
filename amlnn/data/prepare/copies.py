"""What becomes of images that are the same, or nearly, in one class and part or in several."""

from collections.abc import Sequence

from amlnn.data.prepare.inspect import RawImage
from amlnn.data.prepare.manifest import Problem

__all__ = ['judge_copies', 'judge_near_copies']

_EVALUATED_FIRST = {'test': 0, 'val': 1, 'train': 2}


def judge_copies(groups: Sequence[Sequence[RawImage]],
                  on_duplicate: str) -> tuple[list[Problem], set[str]]:
    """What to say about each group of copies, and the paths that are left out.

    Args:
        groups: From `find_copies`.
        on_duplicate: One of `ON_DUPLICATE`.
    """
    problems: list[Problem] = []
    dropped: set[str] = set()
    for group in groups:
        # What a model is judged by stays as it was published.
        group = sorted(group, key=lambda image: (_EVALUATED_FIRST.get(image.part, 0), image.path))
        conflict = len({image.class_name for image in group}) > 1
        for image in group if conflict else group[1:]:
            others = [other.path for other in group if other is not image] if conflict \
                else [group[0].path]
            apart = image.part != group[0].part
            kind = 'label-conflict' if conflict else 'part-copy' if apart else 'copy'
            action = {'fail': '', 'drop': 'left out', 'keep': 'kept, in several parts'
                      if len({other.part for other in group}) > 1 else 'kept, copies in one split'}
            problems.append(Problem(kind, image.path, 'same as ' + ', '.join(others),
                                    action[on_duplicate]))
            if on_duplicate == 'drop':
                dropped.add(image.path)
    return problems, dropped


def judge_near_copies(groups: Sequence[Sequence[RawImage]], on_duplicate: str,
                      together: bool = True) -> list[Problem]:
    """What to say about each group of near copies.

    None is left out: that they are the same is a guess, a good one, and what is kept together in
    one split does no harm. Exact copies within a group are named elsewhere.

    Args:
        groups: From `find_near_copies`.
        on_duplicate: One of `ON_DUPLICATE`.
        together: They are in one split, where their parts leave the choice.
    """
    problems: list[Problem] = []
    for group in groups:
        group = sorted(group, key=lambda image: (_EVALUATED_FIRST.get(image.part, 0), image.path))
        different = list({image.pixels: image for image in reversed(group)}.values())[::-1]
        conflict = len({image.class_name for image in group}) > 1
        action = '' if on_duplicate == 'fail' else \
            'kept, in several parts' if len({image.part for image in group}) > 1 else \
            'kept, together in one split' if together else 'kept, in several splits'
        for image in different if conflict else different[1:]:
            other = next(other for other in different if other is not image and (
                not conflict or other.class_name != image.class_name or len(different) == 2))
            kind = 'near-conflict' if conflict else \
                'near-part-copy' if image.part != other.part else 'near-copy'
            problems.append(Problem(kind, image.path, f'nearly the same as {other.path}', action))
    return problems
