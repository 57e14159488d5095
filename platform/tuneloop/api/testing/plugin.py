"""What every plugin class must fulfil, whatever its kind."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pydantic
import pytest

from tuneloop.api.plugin import Plugin
from tuneloop.api.testing.installed import HOOKS, provider

HEAVY = (
    "bentoml", "datasets", "jax", "matplotlib", "mlflow", "onnxruntime", "pandas", "river", "scipy", "sklearn",
    "tensorflow", "torch", "transformers",
)  # fmt: skip
"""Libraries that a plugin may import inside functions only: all plugins are imported by every command."""


class PluginContract:
    """The base of all contracts: name, options, installation.

    Attributes:
        plugin: The class under test.
        options: Options it is created with.
        installed: Whether an installed distribution must register the class.
    """

    kind: ClassVar[type[Plugin]]
    plugin: ClassVar[type[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    installed: ClassVar[bool] = True

    def files(self, root: Path) -> None:
        """Write into the project folder what the options refer to."""

    def create(self) -> Any:
        """An instance with the options of this contract."""
        return self.plugin(self.plugin.Options.model_validate(dict(self.options)))

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A project folder with the files of this contract."""
        folder = tmp_path / "project"
        folder.mkdir()
        self.files(folder)
        return folder

    def test_class(self) -> None:
        """It derives from the class of its kind, lacks no method, and sets every class variable."""
        cls = self.plugin
        assert isinstance(cls, type), f"plugin = {cls!r}; set it to the class, not to an instance"
        assert issubclass(cls, self.kind), f"{cls.__qualname__} does not derive from tuneloop.api.{self.kind.__name__}"
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        assert not missing, f"{cls.__qualname__} lacks {', '.join(missing)}"
        declared = {
            name
            for parent in self.kind.__mro__
            for name, note in vars(parent).get("__annotations__", {}).items()
            if str(note).startswith("ClassVar")
        }
        unset = sorted(name for name in declared if not hasattr(cls, name))
        assert not unset, f"{cls.__qualname__} does not set {', '.join(unset)}"

    def test_name(self) -> None:
        """Projects refer to it by a text without blanks."""
        name = self.plugin.name
        assert isinstance(name, str), f"name is {name!r}, not a text"
        assert name, "name is empty"
        assert name == "".join(name.split()), f"name {name!r} has blanks"

    def test_docstring(self) -> None:
        """Its docstring opens with a sentence: `tuneloop plugins show` and the reference print it."""
        text = vars(self.plugin).get("__doc__") or ""
        assert text.strip(), f"{self.plugin.__qualname__} has no docstring"

    def test_options_are_described(self) -> None:
        """Every field, also of nested models, has a description."""
        options = self.plugin.Options
        assert isinstance(options, type), f"Options is {options!r}, not a class"
        assert issubclass(options, pydantic.BaseModel), "Options is not a subclass of pydantic.BaseModel"
        schema = options.model_json_schema()
        bare = [
            f"{model.get('title', '')}.{name}"
            for model in (schema, *schema.get("$defs", {}).values())
            for name, field in model.get("properties", {}).items()
            if not field.get("description", "").strip()
        ]
        assert not bare, f"without a description: {', '.join(bare)}; use pydantic.Field(description=...)"

    def test_options_refuse_unknown_keys(self) -> None:
        """A misspelt option must be an error, or its default is taken silently."""
        values = {**self.options, "no_such_option_": 1}
        try:
            self.plugin.Options.model_validate(values)
        except pydantic.ValidationError as error:
            if not any(fault["type"] == "extra_forbidden" for fault in error.errors()):
                raise AssertionError(f"the options of this contract are not valid: {error}") from error
        else:
            raise AssertionError('Options takes unknown keys: class Options(pydantic.BaseModel, extra="forbid")')

    def test_it_is_created(self, root: Path) -> None:  # noqa: ARG002
        """It can be made from the options."""
        assert isinstance(self.create(), self.plugin)

    def test_it_is_installed(self) -> None:
        """An installed distribution registers the class, so that Tuneloop finds it."""
        if not self.installed:
            pytest.skip("this contract says installed = False")
        assert provider(self.plugin, HOOKS[self.kind]) is not None, (
            f"no installed distribution returns {self.plugin.__qualname__} from a {HOOKS[self.kind]} function: check "
            '[project.entry-points."tuneloop.plugins"] in pyproject.toml, then pip install -e .'
        )

    def test_importing_it_is_light(self) -> None:
        """Its module imports heavy libraries inside functions only."""
        if not self.installed:
            pytest.skip("this contract says installed = False")
        heavy = imports(self.plugin.__module__)
        assert not heavy, (
            f"importing {self.plugin.__module__} imports {heavy}: move that into the function that needs it"
        )


@functools.cache
def imports(module: str) -> str:
    """The heavy libraries that importing a module imports, in a fresh interpreter; empty where none."""
    code = (
        f"import sys, importlib; importlib.import_module({module!r}); print(*sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, f"{module} cannot be imported in a fresh interpreter:\n{done.stderr}"
    return done.stdout.strip()
