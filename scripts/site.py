"""Hooks of mkdocs.yml: pages that are generated, and links to files outside docs."""

import html
import json
import posixpath
import re
import subprocess
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent

FILTER = """<label>Show models that contain <input id="filter" type="search" placeholder="such as resnet robust" style="border: 1px solid; padding: .2rem .4rem; border-radius: .2rem"></label>
<script>
document.getElementById("filter").addEventListener("input", e => {
  const words = e.target.value.toLowerCase().split(/\\s+/);
  for (const row of document.querySelectorAll("table tbody tr"))
    row.hidden = !words.every(w => row.textContent.toLowerCase().includes(w));
});
</script>
"""


def catalogue() -> str:
    """Return the page of all models, from their cards."""
    rows = []
    for path in sorted(ROOT.glob("models/*/*.json")):
        card = json.loads(path.read_text())
        clean = [m for m in card.get("measured", []) if not m.get("attack") and m.get("accuracy") is not None]
        accuracy = "; ".join(f"{m['accuracy']} % of {m['data']}" for m in clean)
        parameters = card.get("parameters")
        size = f"{parameters / 1e6:.1f} M, {card['input']['size']}²" if parameters else f"{card['input']['size']}²"
        source = card.get("weights", {}).get("source", "")
        if source.startswith("http"):
            source = f'<a href="{html.escape(source)}">{html.escape(source.split("/")[2])}</a>'
        else:
            source = html.escape(source)
        cells = [f"<strong>{html.escape(card['name'])}</strong><br>{html.escape(card['title'])}", f"{card['kind']}, {card['training']}", accuracy, size, html.escape(card.get("licence", "")), source]
        rows.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return (f"---\nhide: [toc]\n---\n\n# Model catalogue\n\nThis page lists the {len(rows)} models that the program knows, from their cards. `metamers models pull NAME` brings the weights of most.\n\n" + FILTER
            + "\n| name and model | kind, training | accuracy, where measured here | parameters, input | licence of the weights | source |\n|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n")


def package() -> str:
    """Return the page of the package mk, from its documentation."""
    text = subprocess.run(["go", "doc", "-all", "./metamerkit"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    out = ["# The package mk", "", "This page documents the Go package `metamerkit`, which cells import as `mk`.", ""]
    code: list[str] = []

    def flush() -> None:
        if code:
            out.extend(["```go", *code, "```", ""])
            code.clear()

    depth, comment = 0, True  # the package's comment is not indented, so its code is by 4
    for line in text.splitlines()[2:]:
        if re.fullmatch("[A-Z]{4,}", line):
            flush()
            comment = False
            out.extend([f"## {line.capitalize()}", ""])
        elif depth or re.match(r"(func|type|var|const)\b", line):
            if not depth and (m := re.match(r"(?:func (?:\(\w* ?\*?(\w+)[^)]*\) )?(\w+)|type (\w+))", line)):
                flush()
                receiver, name = m[1], m[2] or m[3]
                out.extend([f"### {receiver + '.' if receiver else ''}{name}", ""])
            code.append(line)
            depth += line.count("{") + line.count("(") - line.count("}") - line.count(")")
            if depth == 0 and not line.startswith("\t"):
                flush()
        elif comment and line.startswith("    "):
            code.append(line[4:].expandtabs(4))
        elif line.startswith("        ") or line.startswith("    \t"):
            code.append(line[4:].expandtabs(4))
        else:
            flush()
            out.append(line.strip().replace("<", "&lt;"))
    flush()
    return "\n".join(out) + "\n"


def on_files(files, config):
    for path, content in {"reference/catalogue.md": catalogue(), "reference/mk.md": package()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links to files outside docs into links to the repository."""
    here = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def link(m):
        target = posixpath.normpath(posixpath.join(here, m[1]))
        if target.startswith("docs/") or not (ROOT / target.split("#")[0]).exists():
            return m[0]
        return f"]({config['repo_url']}/blob/main/{target})"

    return re.sub(r"\]\((\.\./[^)\s]+)\)", link, markdown)
