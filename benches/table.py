"""How results are written: medians with their spread, ratios of medians, Markdown."""

import statistics
import sys


def note(text):
    """What is going on, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def number(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def shown(values):
    """The median, and the least and greatest in brackets."""
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def ratio(ours, theirs):
    return statistics.median(ours) / statistics.median(theirs)


def table(title, header, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()
