"""Compare names without regard to upper and lower case, as Azure does.

Azure compares names letter by letter, like .NET's `OrdinalIgnoreCase`: two letters are equal if one is the upper case
of the other. Python's `lower` goes further: the Kelvin sign becomes the letter k, and `İ` becomes two characters. Such
a result may name nothing in Azure, or another resource.
"""


def lower_case(text: str) -> str:
    """Return the text in lower case. A letter without a lower-case letter that has it as upper case stays as it is."""
    return text.lower() if text.isascii() else "".join(map(_lower, text))


def upper_case(text: str) -> str:
    """Return the text in upper case. A letter without an upper-case letter that has it as lower case stays as it is."""
    return text.upper() if text.isascii() else "".join(map(_upper, text))


def _lower(letter: str) -> str:
    lower = letter.lower()
    return lower if lower.upper() == letter else letter


def _upper(letter: str) -> str:
    upper = letter.upper()
    return upper if upper.lower() == letter else letter
