"""The results of the rounds, as a table."""

from statistics import median

HEADINGS = ("work", "culvert", "nginx", "culvert/nginx", "target", "aim", "")


class Results:
    """Per figure the values of each round, a pair of Culvert's and nginx's; failures by row."""

    def __init__(self):
        self.values = {}
        self.failures = {}

    def add(self, row, culvert, nginx):
        for figure, *pair in zip(row.figures, culvert, nginx):
            self.values.setdefault(figure, []).append(tuple(pair))

    def fail(self, row, message):
        self.failures.setdefault(row.name, []).append(message)


def print_table(rows, results):
    """The medians of the rounds, each with its least and greatest."""
    lines = [HEADINGS]
    for row in rows:
        failed = row.name in results.failures
        lines.extend(_line(figure, results.values.get(figure), failed) for figure in row.figures)
    print_aligned(lines)
    for name, messages in results.failures.items():
        for message in messages:
            print(f"{name}, {message}")


def print_memory(chains):
    """Resident memory of each chain's processes, when idle and now."""
    print("\nmemory (RSS)")
    lines = []
    for chain in chains:
        now = chain.resident_bytes()
        for name in now:
            idle = f"idle {_mebibytes(chain.idle_bytes[name])}"
            lines.append((f"  {chain.name} {name}", idle, f"after {_mebibytes(now[name])}"))
    print_aligned(lines)


def print_aligned(lines):
    """Lines of as many texts each, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    for first, *others in lines:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:])]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def _line(figure, pairs, failed):
    target, aim = _bound(figure, figure.target), _bound(figure, figure.aim)
    if not pairs:
        return (figure.title, "–", "–", "–", target, aim, "failed")
    culvert, nginx = zip(*pairs)
    ratios = [one / other for one, other in pairs]
    return (
        figure.title,
        _spread(culvert, figure.write),
        _spread(nginx, figure.write),
        _spread(ratios, "{:.2f}".format),
        target,
        aim,
        "failed" if failed else _mark(figure, median(ratios)),
    )


def _spread(values, write):
    return f"{write(median(values))} ({_bare(write(min(values)))}–{_bare(write(max(values)))})"


def _bare(text):
    return text.partition(" ")[0].removesuffix("/s")


def _bound(figure, bound):
    if bound is None:
        return ""
    return f"{'≥' if figure.more_is_better else '≤'} {bound:.1f}"


def _mark(figure, ratio):
    def reaches(bound):
        return ratio >= bound if figure.more_is_better else ratio <= bound

    if not reaches(figure.target):
        return "✗ missed"
    return "✓ aim" if figure.aim is not None and reaches(figure.aim) else "✓"


def _mebibytes(size):
    return f"{size / 1024 / 1024:.1f} MiB"
