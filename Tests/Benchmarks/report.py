"""The table: what was measured, the bound it is held against, and whether a target is met."""

import dataclasses
import json
import statistics


@dataclasses.dataclass
class Target:
    """A limit for the ratio of ours to the bound, or, with a unit, for our own figure."""

    relation: str
    limit: float
    unit: str = ""

    def __str__(self):
        return f"{self.relation} {self.limit:.4g} {self.unit}".rstrip()

    def met(self, ours, ratio):
        value = ours if self.unit else ratio
        return value is not None and (
            value <= self.limit if self.relation == "<=" else value >= self.limit)


def ratio_at_most(limit):
    return Target("<=", limit)


def ratio_at_least(limit):
    return Target(">=", limit)


def at_most(limit, unit):
    return Target("<=", limit, unit)


class Figure:
    """What several rounds of a measurement gave: the median of them, and their spread."""

    def __init__(self, samples):
        self.samples = list(samples) if hasattr(samples, "__iter__") else [samples]
        self.median = statistics.median(self.samples)

    @property
    def spread(self):
        """From the least to the most; None of a single sample."""
        return max(self.samples) - min(self.samples) if len(self.samples) > 1 else None


class Report:
    """Prints a row as soon as it is measured, and what was missed at the end."""

    WHAT = 52

    def __init__(self, json_output=None):
        """The rows also go to a file, if there is one: a JSON object a line."""
        self.rows = []
        self.json_output = json_output
        self.line("what", "ours", "spread", "bound", "spread", "ratio", "target", "met?")

    def line(self, what, ours, spread, bound, bound_spread, ratio, target, met):
        print(f"{what:{self.WHAT}}{ours:>13}{spread:>9}{bound:>13}{bound_spread:>9}{ratio:>8}"
              f"  {target:11} {met}".rstrip(), flush=True)

    def row(self, what, ours, unit, *, bound=None, target=None):
        """A line of samples, or of a number; the bound is in the same unit."""
        ours = Figure(ours)
        bound = None if bound is None else Figure(bound)
        ratio = ours.median / bound.median if bound and bound.median else None
        met = target.met(ours.median, ratio) if target else None

        def size(figure):
            return f"{figure.median:.4g} {unit}" if figure else ""

        def spread(figure):
            return "" if figure is None or figure.spread is None else f"{round(figure.spread, 9):.3g}"
        self.line(what, size(ours), spread(ours), size(bound), spread(bound),
                  "" if ratio is None else f"{ratio:.3f}", str(target or ""),
                  {None: "", True: "yes", False: "NO"}[met])
        self.rows.append({
            "what": what, "unit": unit, "ours": ours.median, "spread": ours.spread,
            "bound": bound and bound.median, "bound_spread": bound and bound.spread,
            "ratio": ratio, "target": str(target) if target else None, "met": met})
        if self.json_output:
            print(json.dumps(self.rows[-1]), file=self.json_output, flush=True)

    def close(self):
        """Says which targets were missed: figures, not failures."""
        judged = [row for row in self.rows if row["met"] is not None]
        missed = [row for row in judged if not row["met"]]
        print(f"\n{len(judged) - len(missed)} of {len(judged)} targets met"
              + ("; missed:" if missed else ""))
        for row in missed:
            print(f"    {row['what'].strip()}: {row['ours']:.4g} {row['unit']}"
                  + (f", ratio {row['ratio']:.3f}" if row["ratio"] is not None else "")
                  + f", wanted {row['target']}")
