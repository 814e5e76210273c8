"""Small words that messages are made of."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one.

    Args:
        number: How many.
        noun: In the singular; its plural is regular.

    Example:
        >>> counted(1, "image"), counted(1200, "image"), counted(0, "class")
        ('1 image', '1,200 images', '0 classes')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"
