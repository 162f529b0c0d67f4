"""Write the pages of the API reference, one per package, from the package tree alone: nothing is imported.

A page shows the package's public face (its `__all__`), then the classes that its modules register by decorator without
exporting them, and last a table of its modules. A package without a face shows the public names of its modules; so does
the page of the whole package, for the modules that are in no room.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SKIPPED = {"cli"}  # commands, documented by --help


@dataclass(frozen=True)
class Module:
    """One module, read but not imported.

    Attributes:
        path: Its file.
        name: Its dotted name.
        tree: Its syntax tree.
    """

    path: Path
    name: str
    tree: ast.Module

    @property
    def summary(self) -> str:
        """The first paragraph of its docstring, on one line."""
        text = (ast.get_docstring(self.tree) or "").partition("\n\n")[0]
        return " ".join(text.split()).replace("|", "\\|")

    @property
    def exported(self) -> list[str]:
        """The names in its `__all__`."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return [str(name) for name in ast.literal_eval(node.value)]
        return []

    def source(self, name: str) -> str:
        """Return the module that an exported name is imported from, or this one."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
                return str(node.module)
        return self.name

    @property
    def registered(self) -> list[str]:
        """Its public classes that a `register` decorator adds to a registry."""
        return [
            node.name
            for node in self.tree.body
            if isinstance(node, ast.ClassDef)
            and not node.name.startswith("_")
            and any(".register(" in ast.unparse(decorator) for decorator in node.decorator_list)
        ]

    @property
    def has_public_names(self) -> bool:
        """True if it defines a documented public class or function."""
        return any(
            isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node)
            for node in self.tree.body
        )


def read(path: Path, name: str) -> Module:
    """Parse a module."""
    return Module(path, name, ast.parse(path.read_text()))


def hidden(face: Module, root: Path) -> list[str]:
    """Return the exported names that a module of the same name hides from static analysis, as dotted paths."""
    found = []
    for name in face.exported:
        module, is_hidden = face, False
        while module.path.name == "__init__.py":
            is_hidden |= module.path.with_name(f"{name}.py").exists()
            source = module.source(name)
            if source == module.name:
                break
            path = root.parent / Path(*source.split("."))
            module = read(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"), source)
        if is_hidden:
            found.append(f"{module.name}.{name}")
    return found


def package_page(folder: Path, name: str, root: Path) -> str:
    """Return the Markdown of one package's page; `root` is the folder of the whole package."""
    face = read(folder / "__init__.py", name)
    modules = [
        read(path, f"{name}.{path.stem}")
        for path in sorted(folder.glob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    lines = [f"# {name}", ""]
    if face.exported:
        lines += [f"::: {name}", ""]
        extra = [f"{module.name}.{cls}" for module in modules for cls in module.registered if cls not in face.exported]
        options = "    options: {show_root_heading: true, heading_level: 2, show_root_full_path: false}"
        for path in [*hidden(face, root), *extra]:
            lines += [f"::: {path}", options, ""]
    else:
        lines += [face.summary, ""]
    if not face.exported or "." not in name:  # modules at the top belong to no room
        for module in modules:
            if module.has_public_names:
                lines += [f"## {module.path.stem}", "", f"::: {module.name}", "    options: {heading_level: 3}", ""]
    if modules:
        lines += ["## Modules", "", "| module | holds |", "|---|---|"]
        lines += [f"| `{module.path.stem}` | {module.summary} |" for module in modules]
    return "\n".join(lines) + "\n"


def write_reference(package: Path, to: Path) -> list[Any]:
    """Write a page for every package below `package` and return their part of the navigation."""
    to.mkdir(parents=True, exist_ok=True)

    def visit(folder: Path, name: str) -> list[Any]:
        (to / f"{name}.md").write_text(package_page(folder, name, package))
        page = f"reference/{name}.md"
        rooms = [
            room for room in sorted(folder.iterdir()) if (room / "__init__.py").exists() and room.name not in SKIPPED
        ]
        inner = [entry for room in rooms for entry in visit(room, f"{name}.{room.name}")]
        if folder == package:
            return [{name: page}, *inner]
        return [{folder.name: [{"overview": page}, *inner] if inner else page}]

    return visit(package, package.name)
