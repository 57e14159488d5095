"""What a project names is looked up among the plugins, and checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pydantic

from tuneloop.api import BaseModel, Columns, Exporter, Launcher, Metric, PluginError, Strategy, Task, UnknownPluginError
from tuneloop.config.columns import read_columns
from tuneloop.config.document import Document
from tuneloop.config.problems import KeyPath, Problem, quoted, validate
from tuneloop.config.requires import check_requirements
from tuneloop.config.shape import NAMED, DetectorShape, ProjectShape, TransformShape
from tuneloop.config.texts import PERPLEXITY, check_texts
from tuneloop.plugins import Kind, PluginManager, nearest
from tuneloop.tasks.written import writes

Chosen = tuple[str, pydantic.BaseModel]
"""A plugin's name and its validated options."""


class Resolver:
    """One pass over a document; all that is wrong gathers in `problems`.

    Parts that are sound are checked even where others are not, so that a person sees everything at once. What the
    attributes hold is only complete when there are no problems.
    """

    def __init__(self, document: Document, plugins: PluginManager) -> None:
        self.document, self.plugins = document, plugins
        self.problems: list[Problem] = []
        self.raw: Mapping[str, Any] = document.value
        self.shape, problems = validate(ProjectShape, self.raw, (), document.line)
        self.problems.extend(problems)
        self.hinted = False
        self.wanting = self._requirements()
        self.task = self._task()
        self.source = self._choose("data", "data source")
        self.base = self._choose("model", "base model")
        self.strategy = self._choose("tune", "strategy")
        self.exporter = self._choose("export", "exporter")
        self.launcher = self._choose("launch", "launcher") if "launch" in self.raw else None
        self.transforms = self._transforms()
        self.detectors = self._detectors()
        self.columns = self._columns()
        self.metrics = self._metrics()
        self._check_fit()
        self._check_metric_uses()
        self._check_ports()
        self._check_store()

    def complain(self, path: KeyPath, text: str) -> None:
        """Note one problem."""
        self.problems.append(Problem(self.document.line(path), path, text))

    def options(self, section: str) -> Chosen:
        """The plugin a section names, with its options; only where there are no problems."""
        chosen = {"data": self.source, "model": self.base, "tune": self.strategy, "export": self.exporter}[section]
        assert chosen is not None
        return chosen

    def _section(self, name: str) -> Mapping[str, Any]:
        value = self.raw.get(name)
        return value if isinstance(value, Mapping) else {}

    def _find(self, kind: Kind, name: Any, path: KeyPath) -> type[Any] | None:
        """The class of a plugin; None, with a problem, where there is none. Non-texts are the shape's problem."""
        if not isinstance(name, str) or not name:
            return None
        try:
            return self.plugins.get(kind, name)
        except UnknownPluginError as error:
            self.complain(path, str(UnknownPluginError(kind, name, error.known, self._hint())))
        except PluginError as error:
            self.complain(path, str(error))
        return None

    def _hint(self) -> str:
        """What may bring an unknown name; the plugins that are not loaded are listed once."""
        hints = []
        if self.wanting:
            hints.append(f"It may be in what requires_plugins asks for: {'; '.join(self.wanting)}.")
        if not self.hinted:
            hints.append(self.plugins.absent_hint())
        self.hinted = True
        return " ".join(filter(None, hints))

    def _requirements(self) -> list[str]:
        """Complains about each unmet one of `requires_plugins`; the lines that install them."""
        listed = self.raw.get("requires_plugins")
        items = enumerate(listed if isinstance(listed, list) else [])
        return check_requirements(
            {position: text for position, text in items if isinstance(text, str) and text},
            self.plugins.records,
            lambda place, said: self.complain(("requires_plugins", place), said),
        )

    def _choose(self, section: str, kind: Kind) -> Chosen | None:
        key, shape = NAMED[section]
        raw = self._section(section)
        name = raw.get(key, shape.model_fields[key].default)
        cls = self._find(kind, name, (section, key))
        if cls is None:
            return None
        core = shape.model_fields.keys()
        options = self._validate(cls, {k: v for k, v in raw.items() if k not in core}, (section,), core)
        return None if options is None else (name, options)

    def _validate(self, cls: Any, raw: Mapping[str, Any], path: KeyPath, core: Any) -> pydantic.BaseModel | None:
        options, problems = validate(cls.Options, dict(raw), path, self.document.line, core)
        self.problems.extend(problems)
        return options

    def _transforms(self) -> tuple[Chosen, ...]:
        raw = self._section("data").get("transforms", [])
        return tuple(chosen for _, chosen in self._listed(raw, ("data", "transforms"), "transform", TransformShape))

    def _detectors(self) -> tuple[Chosen, ...]:
        """The detectors named, or the default's; each once, as it labels a metric."""
        raw = self._section("monitor").get("detectors", ["adwin"])
        found = self._listed(raw, ("monitor", "detectors"), "detector", DetectorShape)
        for position, (path, (name, _)) in enumerate(found):
            if name in [earlier for _, (earlier, _) in found[:position]]:
                self.complain(path, f"detector {name!r} stands here twice")
        return tuple(chosen for _, chosen in found)

    def _listed(
        self, raw: Any, place: KeyPath, kind: Kind, shape: type[TransformShape | DetectorShape]
    ) -> list[tuple[KeyPath, Chosen]]:
        """Plugins that a list names, each as a text or as a mapping with `name` and options, and where each stands."""
        chosen: list[tuple[KeyPath, Chosen]] = []
        for index, item in enumerate(raw if isinstance(raw, list) else []):
            path: KeyPath = (*place, index)
            if not isinstance(item, (str, Mapping)) or not item:
                self.complain(path, f"value {quoted(item)}: expected the name of a {kind}, or a mapping with `name`")
                continue
            entry = {"name": item} if isinstance(item, str) else dict(item)
            head, problems = validate(shape, entry, path, self.document.line)
            self.problems.extend(problems)
            cls = self._find(kind, head.name, path if isinstance(item, str) else (*path, "name")) if head else None
            if head is None or cls is None:
                continue
            options = self._validate(cls, head.model_extra or {}, path, ("name",))
            if options is not None:
                chosen.append((path, (head.name, options)))
        return chosen

    def _task(self) -> type[Task] | None:
        """The task, in the form that the base model learns."""
        found = cast("type[Task] | None", self._find("task", self.raw.get("task"), ("task",)))
        base = cast("type[BaseModel] | None", self._peek("model", "base model"))
        return found.trained_by(base.loss) if found is not None and base is not None else found

    def _columns(self) -> Columns:
        raw = self._section("data").get("columns")
        split = self._section("data").get("split")
        key = split.get("key") if isinstance(split, Mapping) else None
        if self.task is None or not isinstance(raw, Mapping):
            return Columns({}, None)
        return read_columns(
            raw,
            self.task,
            key if isinstance(key, str) else None,
            lambda place, text: self.complain(("data", "columns", *place), text),
        )

    def _metrics(self) -> tuple[str, ...]:
        """The metrics to report: those named, or the task's own."""
        listed = self._section("evaluate").get("metrics")
        if listed is None:
            names, paths = (self.task.default_metrics if self.task else ()), None
        else:
            found = [
                (i, name) for i, name in enumerate(listed if isinstance(listed, list) else ()) if isinstance(name, str)
            ]
            names, paths = tuple(name for _, name in found), [("evaluate", "metrics", i) for i, _ in found]
        for position, name in enumerate(names):
            path: KeyPath = paths[position] if paths else ("task",)
            cls = cast("type[Metric] | None", self._find("metric", name, path))
            if name in names[:position]:
                self.complain(path, f"metric {name!r} stands here twice")
            if cls is not None and self.task is not None:
                kind = self.task.judged_as or ("classification" if self.task.loss == "cross_entropy" else "regression")
                if kind not in cls.kinds:
                    fitting = [m.name for m in self.plugins.classes("metric") if kind in cast("type[Metric]", m).kinds]
                    self.complain(
                        path,
                        f"metric {name!r} cannot score task {self.task.name!r}, which is {kind}. "
                        f"Those that can: {', '.join(fitting) or 'none'}",
                    )
        return names

    def _check_metric_uses(self) -> None:
        """Thresholds and early stopping read metrics that must be among those reported."""
        used: list[tuple[KeyPath, Any]] = []
        gate = self._section("gate")
        if isinstance(gate.get("require"), Mapping):
            used.extend((("gate", "require", name), name) for name in gate["require"])
        for path in (("gate", "champion", "metric"), ("tune", "early_stopping", "metric")):
            inner = self._section(path[0]).get(path[1])
            if isinstance(inner, Mapping) and isinstance(inner.get("metric"), str):
                used.append((path, inner["metric"]))
        strategy = cast("type[Strategy] | None", self._peek("tune", "strategy"))
        if self.task is not None and strategy is not None:
            check_texts(self._section("tune"), self.searched, self.task, strategy, self.complain)
        if writes(self.task):
            used = [one for one in used if one != (("tune", "early_stopping", "metric"), PERPLEXITY)]
        for place, name in used:
            if self.metrics and name not in self.metrics and self._find("metric", name, place) is not None:
                reported = ", ".join(dict.fromkeys(self.metrics))
                self.complain(place, f"metric {name!r} is not reported, only {reported}: add it to evaluate.metrics")

    @property
    def searched(self) -> str | None:
        """The metric that trainings of a search are judged by, where it exports none of them."""
        search = self.shape.search if self.shape is not None else None
        if self.shape is None or search is None or any(path.startswith("export") for path in search.space):
            return None
        champion = self.shape.gate.champion
        deciding = champion.metric if champion is not None else None
        return search.metric or deciding or next(iter(self.metrics), None)

    def _check_fit(self) -> None:
        """Task, base model, strategy and exporter must fit each other."""
        base = cast("type[BaseModel] | None", self._peek("model", "base model"))
        strategy = cast("type[Strategy] | None", self._peek("tune", "strategy"))
        exporter = cast("type[Exporter] | None", self._peek("export", "exporter"))
        if base and self.task and self.task.name not in base.tasks:
            others = [
                m.name for m in self.plugins.classes("base model") if self.task.name in cast("type[BaseModel]", m).tasks
            ]
            self.complain(
                ("model", "base"),
                f"base model {base.name!r} cannot be tuned for task {self.task.name!r}; it does: "
                f"{', '.join(sorted(base.tasks))}. For this task: {', '.join(others) or 'none installed'}",
            )
        if base and strategy and strategy.framework != base.framework:
            others = [
                s.name
                for s in self.plugins.classes("strategy")
                if cast("type[Strategy]", s).framework == base.framework
            ]
            self.complain(
                ("tune", "strategy"),
                f"strategy {strategy.name!r} trains models made with {strategy.framework}, and base model "
                f"{base.name!r} is made with {base.framework}. "
                f"Strategies for it: {', '.join(others) or 'none installed'}",
            )
        if base and exporter and base.framework not in exporter.frameworks:
            others = [
                e.name
                for e in self.plugins.classes("exporter")
                if base.framework in cast("type[Exporter]", e).frameworks
            ]
            self.complain(
                ("export", "format") if "export" in self.raw else ("model", "base"),
                f"exporter {exporter.name!r} takes models made with {', '.join(sorted(exporter.frameworks))}, and base "
                f"model {base.name!r} is made with {base.framework}. "
                f"Exporters for it: {', '.join(others) or 'none installed'}",
            )
        self._check_launch(strategy)
        quantize = self._section("export").get("quantize")
        mode = quantize.get("mode") if isinstance(quantize, Mapping) else None
        if exporter and isinstance(mode, str) and mode not in exporter.quantizations:
            self.complain(
                ("export", "quantize", "mode"),
                f"value {mode!r}: exporter {exporter.name!r} has no such quantisation."
                f"{nearest(mode, exporter.quantizations)} Known: {', '.join(exporter.quantizations) or 'none'}",
            )

    def _check_launch(self, strategy: type[Strategy] | None) -> None:
        """Several processes need a strategy that they can follow together."""
        if self.launcher is None or strategy is None or strategy.distributed:
            return
        name, options = self.launcher
        launcher: Launcher = self.plugins.create("launcher", name, options)
        if launcher.processes > 1:
            others = [
                s.name
                for s in self.plugins.classes("strategy")
                if cast("type[Strategy]", s).distributed and cast("type[Strategy]", s).framework == strategy.framework
            ]
            self.complain(
                ("launch",),
                f"launcher {name!r} trains with {launcher.processes} processes, and strategy {strategy.name!r} knows "
                f"only one. Strategies for several: {', '.join(others) or 'none installed'}",
            )

    def _peek(self, section: str, kind: Kind) -> type[Any] | None:
        """The class a section names, without a second complaint where there is none."""
        key, shape = NAMED[section]
        name = self._section(section).get(key, shape.model_fields[key].default)
        try:
            return self.plugins.get(kind, name) if isinstance(name, str) else None
        except PluginError:
            return None

    def _check_store(self) -> None:
        """A column that is misspelt here would be stored in clear."""
        known = tuple(self.columns.inputs.values())
        for key in ("drop_columns", "hash_columns"):
            listed = self._section("store").get(key)
            for position, name in enumerate(listed if isinstance(listed, list) else []):
                if known and isinstance(name, str) and name and name not in known:
                    said = f"value {quoted(name)}: no input has this name.{nearest(name, known)}"
                    self.complain(("store", key, position), f"{said} Known: {', '.join(known)}")

    def _check_ports(self) -> None:
        if self.shape is not None and self.shape.serve.port == self.shape.retrain.port:
            path: KeyPath = ("retrain", "port") if "port" in self._section("retrain") else ("serve", "port")
            self.complain(path, f"value {self.shape.serve.port}: serve.port and retrain.port must differ")
