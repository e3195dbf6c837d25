"""Whether the wheel is whole, and works alone: `make wheel` runs it with the Python of an environment that has nothing but it.

    python -I deploy/wheel.py dist/opsonin-….whl

It holds every file of its packages as the checkout has them, so what the suite says of the checkout holds for it; each of its
modules can be imported with what it declares; its commands do their work in a folder where nothing else is.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "webshop"
LOGS = (f"suricata.eve={EXAMPLE / 'eve.json'}", f"linux.auth={EXAMPLE / 'auth.log'}")
ENGINE = f"""
[engine]
data_dir = "var"
stop_at_end = true
[web]
port = 0
[[source]]
name = "ids"
type = "file"
adapter = "suricata.eve"
path = "{EXAMPLE / "eve.json"}"
follow = false
"""


def packages() -> list[str]:
    """Return the packages that the wheel is said to hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return named


def checkout() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of the packages."""
    for package in packages():
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def compare(wheel: Path) -> list[str]:
    """Return the names of the modules in the wheel, which is as the checkout is."""
    with zipfile.ZipFile(wheel) as packed:
        held = {name: packed.read(name) for name in packed.namelist() if ".dist-info/" not in name}
    here = dict(checkout())
    unlike = sorted(name for name in held.keys() | here.keys() if held.get(name) != here.get(name))
    if unlike:
        sys.exit(f"{wheel.name} and the checkout differ in {len(unlike)} files: {unlike[:10]}")
    modules = [Path(name).with_suffix("") for name in held if name.endswith(".py")]
    return sorted(".".join(one.parts).removesuffix(".__init__") for one in modules)


def load(modules: list[str]) -> None:
    """Import them, each from where the wheel is installed."""
    place = sysconfig.get_path("purelib")
    for name in modules:
        found = importlib.import_module(name).__file__ or ""
        if not found.startswith(place):
            sys.exit(f"{name} was imported from {found}, expected below {place}")


def run(folder: Path, *words: str) -> str:
    """Run the command there; return what it prints."""
    command = [str(Path(sys.executable).with_name("opsonin")), *words]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"opsonin {' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def work(folder: Path) -> None:
    """Let rules be tested, recorded logs be played through the engine, and what came of them be asked for."""
    run(folder, "rules", "check")
    run(folder, "rules", "test")
    told = [json.loads(line) for line in run(folder, "replay", "--final", *LOGS).splitlines()]
    if missing := {"alert", "chain", "decision"} - {one["kind"] for one in told}:
        sys.exit(f"the replay of the example gave no {', '.join(sorted(missing))}")
    (folder / "opsonin.toml").write_text(ENGINE, encoding="utf-8")
    run(folder, "run", "--quiet", "--config", "opsonin.toml")
    if not run(folder, "chains", "list", "--json", "--config", "opsonin.toml").strip():
        sys.exit("the engine linked no chain of the example")


def main() -> None:
    """Check the wheel that is named."""
    modules = compare(Path(sys.argv[1]))
    load(modules)
    with tempfile.TemporaryDirectory(prefix="opsonin-wheel-") as folder:
        work(Path(folder))
    print(f"{Path(sys.argv[1]).name} is whole and works alone: {len(modules)} modules")


if __name__ == "__main__":
    main()
