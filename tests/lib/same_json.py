"""Compare JSON values, whose numbers may be written in different ways."""


def same(a, b):
    """True if a and b are equal, however their numbers are written."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return (isinstance(a, (int, float)) and isinstance(b, (int, float)) and
                not isinstance(a, bool) and not isinstance(b, bool) and
                abs(a - b) <= 1e-6 * abs(a))
    return type(a) is type(b) and a == b
