"""The modules of a user's study: imported from beside the study's file, and taken along to wherever a trial runs.

A study file imports its neighbours as a script does, without their folder on `sys.path`, where a `queue.py` or a
`records.py` in it would stand for other modules. Functions and classes of these modules are pickled by value, so that
they arrive on hosts that have none of the files. What cannot be by value, an import inside a function or a module as
such, is found there too: cloudpickle pickles the `__file__` of a module with each of its functions, and here that
is a text that brings the sources along.
"""

import hashlib
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

from ray import cloudpickle

from tautune.search_spaces.study_sources import Source, find_source, imports_relatively, sources_of


class StudyModules(MetaPathFinder):
    """Finds the modules of one study.

    Args:
        name: under which the study's file is imported.
        sources: the modules by name, the study's own among them.
        folders: where further modules may be, which the study imports by a name that it computes.
    """

    def __init__(self, name: str, sources: dict[str, Source], folders: tuple[Path, ...] = ()) -> None:
        self.name, self.sources, self.folders = name, sources, folders

    @classmethod
    def beside(cls, file: Path) -> "StudyModules":
        """Returns those of a study file that lies here."""
        name = f"tautune_study_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"
        folders: tuple[Path, ...] = (file.parent,)
        if imports_relatively(file.read_bytes()):
            packages = list(takewhile(lambda folder: (folder / "__init__.py").is_file(), file.parents))
            name = ".".join([folder.name for folder in reversed(packages)] + [name])
            folders += tuple(folder.parent for folder in packages[-1:])
        return cls(name, sources_of(name, file, folders), folders)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        source = self.sources.get(fullname) or self._further(fullname)
        if source is None:
            return None
        spec = ModuleSpec(fullname, _Loader(self, source), origin=source.path, is_package=source.package)
        spec.has_location = True
        if source.package:
            spec.submodule_search_locations = [str(Path(source.path).parent)]
        return spec

    def _further(self, name: str) -> Source | None:
        """Returns a module that is imported by a computed name, if it is by the study's own files."""
        parent, _, _ = name.rpartition(".")
        wanted = parent in self.sources if parent else self._asks(sys._getframe(2))
        source = find_source(name, self.folders) if wanted else None
        if source is not None:
            self.sources[name] = source
        return source

    def _asks(self, frame: Any) -> bool:
        while frame is not None and frame.f_globals.get("__name__", "").startswith(("importlib", "_frozen_importlib")):
            frame = frame.f_back
        return frame is not None and any(frame.f_code.co_filename == source.path for source in self.sources.values())

    def __reduce__(self) -> Any:
        return _arrived, (self.name, self.sources)


def install(modules: StudyModules) -> None:
    """Makes the modules importable, in place of those of an earlier version of the same study.

    All modules of studies that were imported before are forgotten: another study may have a `utils.py` of its own.
    """
    for known in _installed():
        if known.name == modules.name:
            sys.meta_path.remove(known)
        for name in known.sources:
            module = sys.modules.get(name)
            if isinstance(module, StudyModule):
                del sys.modules[name]
    for name, source in modules.sources.items():
        module = sys.modules.get(name)
        if module is not None and getattr(module, "__file__", None) == source.path:  # a script of the user's had it
            cloudpickle.register_pickle_by_value(module)
    sys.meta_path.insert(0, modules)


def _installed() -> list[StudyModules]:
    return [finder for finder in sys.meta_path if isinstance(finder, StudyModules)]


def _arrived(name: str, sources: dict[str, Source]) -> StudyModules:
    """Returns the modules of a study that has come from another process, after making them importable in this one."""
    for known in _installed():
        if known.name == name and (known.folders or known.sources == sources):
            return known
    modules = StudyModules(name, sources)
    install(modules)
    return modules


class StudyModule(ModuleType):
    """A module of a study: it is pickled by its name, together with the sources from which to import it."""

    def __reduce__(self) -> Any:
        assert isinstance(self.__loader__, _Loader)
        return _imported, (self.__loader__.modules, self.__name__)


def _imported(modules: StudyModules, name: str) -> ModuleType:
    return import_module(name)


class _Path(str):
    """A module's `__file__` that takes the study's sources along when it is pickled."""

    modules: StudyModules

    def __reduce__(self) -> Any:
        return _path, (str(self), self.modules)


def _path(text: str, modules: StudyModules) -> _Path:
    path = _Path(text)
    path.modules = modules
    return path


class _Loader(SourceLoader):
    def __init__(self, modules: StudyModules, source: Source) -> None:
        self.modules, self.source = modules, source

    def get_filename(self, fullname: str) -> str:
        return self.source.path

    def get_data(self, path: Any) -> bytes:
        return self.source.code

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StudyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = _path(self.source.path, self.modules)
        cloudpickle.register_pickle_by_value(module)
        super().exec_module(module)
