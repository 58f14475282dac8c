"""Are two JSON values equal, where numbers may be written otherwise?"""


def same(a, b):
    """Equal JSON, where numbers may be written otherwise."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return (isinstance(a, (int, float)) and isinstance(b, (int, float)) and
                not isinstance(a, bool) and not isinstance(b, bool) and
                abs(a - b) <= 1e-6 * abs(a))
    return type(a) is type(b) and a == b
