"""Build the documentation site: `python docs/site/build.py`, or `make docs`.

The pages are README.md, CONTRIBUTING.md, CHANGELOG.md and docs/, staged in the repository's own layout so that their
relative links work on a code host and in the site alike. The API reference is generated from the package tree. Zensical
renders all of it in strict mode, and `links.py` then checks the HTML.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from links import problems
from reference import write_reference

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "docs" / "site"
BUILD = ROOT / "build"
SOURCE = BUILD / "docs"
SITE = BUILD / "site"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/trainer.md")


def stage() -> None:
    """Copy the pages and assets to the staging folder and write the API reference and the configuration there."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE / "docs", ignore=shutil.ignore_patterns("site", "rows"))
    for page in PAGES:
        (SOURCE / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, SOURCE / page)
    shutil.copytree(HERE / "assets", SOURCE / "assets")
    reference = write_reference(ROOT / "src" / "distillgame", SOURCE / "reference")
    config: dict[str, Any] = yaml.safe_load((HERE / "site.yml").read_text())
    config |= {"docs_dir": SOURCE.name, "site_dir": SITE.name}
    config["nav"].append({"API reference": reference})
    python = config["plugins"][-1]["mkdocstrings"]["handlers"]["python"]
    python["paths"] = [str(ROOT / "src")]
    python["options"]["extensions"] = [str(HERE / "roles.py")]
    (BUILD / "site.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def render() -> None:
    """Run Zensical.

    Raises:
        SystemExit: If it fails or says anything that looks like a warning.
    """
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", "site.yml"]
    run = subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(run.stdout, end="")
    if run.returncode or re.search("warning|error", run.stdout, re.IGNORECASE):
        sys.exit("zensical reported a problem")


def bundle() -> None:
    """Serve every script from the site itself: the theme would load a shim for searching local files from a CDN."""
    for page in SITE.rglob("*.html"):
        shim = "../" * (len(page.relative_to(SITE).parts) - 1) + "assets/frame-worker.js"
        page.write_text(page.read_text().replace("https://unpkg.com/iframe-worker/shim", shim))


def main() -> None:
    """Build the site and check it."""
    stage()
    render()
    bundle()
    found = problems(SITE)
    if found:
        sys.exit("\n".join(found))
    print(
        f"{len(list(SITE.rglob('*.html')))} pages in {SITE.relative_to(ROOT)}; open {SITE.relative_to(ROOT)}/index.html"
    )


if __name__ == "__main__":
    main()
