# SPDX-License-Identifier: Apache-2.0
"""The rows of tests/bench/run as an SVG picture: a group of bars per piece of work, each as long as its time beside
the slowest of its group. The same rows give the same bytes."""
from xml.sax.saxutils import escape

from measuring import judge

WIDTH, NAMES, BARS = 900, 300, 330  # of the picture, of the names on the left, of the longest bar; in pixels
LINE, TITLE, EDGE = 18, 30, 16
STYLE = ("text{font:12px sans-serif;fill:#222}.t{font-weight:bold}.n{text-anchor:end}.v{fill:#2b6ca3}.p{fill:#b9c2ca}"
         ".m{fill:#b03030}")


def groups(rows):
    """Rows of one piece of work together, in the order in which the work came first; only those that took seconds."""
    found = {}
    for row in rows:
        if row.get("seconds") is not None:
            found.setdefault(row["work"], []).append(row)
    return found


def text(x, y, kind, words):
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def label(row):
    words = f"{row['seconds']:.3g} s"
    if row.get("each_us") is not None:
        words += f", {row['each_us']:.3g} us each"
    if row.get("ratio") is not None:
        words += f", {row['ratio']:.2f} x"
    words += f", {row['peak_mb']:.0f} MB" if row.get("peak_mb") is not None else ""
    said = judge(row)
    return f"{words}; {said}" if said else words


def bar(row, slowest, y):
    length = max(1, round(BARS * row["seconds"] / slowest)) if slowest else 1
    kind = "v" if row["who"].startswith("varve") else "p"
    mark = "m" if "MISSED" in judge(row) else ""
    return [text(NAMES - 8, y + 13, "n", row["who"]),
            f'<rect x="{NAMES}" y="{y + 3}" width="{length}" height="{LINE - 5}" class="{kind}"/>',
            text(NAMES + length + 6, y + 13, mark, label(row))]


def draw(document):
    lines, y = [], EDGE
    for work, rows in groups(document["rows"]).items():
        lines.append(text(EDGE, y + 16, "t", work))
        y += TITLE - 6
        slowest = max(row["seconds"] for row in rows)
        for row in rows:
            lines += bar(row, slowest, y)
            y += LINE
        y += 6
    machine = document.get("machine", {})
    about = f"median of {document.get('runs', '?')} runs; {machine.get('cores', '?')} cores, kernel {machine.get('kernel', '?')}"
    lines.append(text(EDGE, y + 16, "", about))
    height = y + TITLE + EDGE
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">\n'
            f"<style>{STYLE}</style>\n" + f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(lines) + "\n</svg>\n")
