"""`model.candidates`: each is read as if it were the section `model` itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from tuneloop.config.changes import CANDIDATES, candidate_documents
from tuneloop.config.document import Document
from tuneloop.config.problems import Problem, validate
from tuneloop.config.resolve import Resolver
from tuneloop.config.search import Candidates
from tuneloop.config.search_shape import LimitsShape
from tuneloop.config.section import Section
from tuneloop.plugins import PluginManager


class CandidatesShape(Section):
    """`model`, where the base model is chosen among several."""

    candidates: list[dict[str, Any]] = Field(
        min_length=1, description="Base models to choose from, each with its options, as `model` itself would be."
    )
    limits: LimitsShape = Field(LimitsShape(), description="What the chosen one may cost at most.")


def are_candidates(document: Document) -> bool:
    """Whether the section `model` names candidates."""
    model = document.value.get("model")
    return isinstance(model, Mapping) and CANDIDATES in model


def resolve(document: Document, plugins: PluginManager) -> tuple[Resolver, Candidates | None, list[Problem]]:
    """Look up what a document names.

    Returns:
        The pass over the document, with the first of the candidates where there are some; the candidates; and all
        that is wrong.
    """
    if not are_candidates(document):
        resolver = Resolver(document, plugins)
        return resolver, None, resolver.problems
    shape, problems = validate(CandidatesShape, document.value["model"], ("model",), document.line)
    resolvers = [Resolver(one, plugins) for one in candidate_documents(document)]
    for place, resolver in enumerate(resolvers):
        problems += [_placed(problem, place) for problem in resolver.problems]
    if not resolvers:
        resolvers = [Resolver(document, plugins)]
        problems += [problem for problem in resolvers[0].problems if problem.path[:1] != ("model",)]
    if len({resolver.task for resolver in resolvers}) > 1:
        text = "these base models learn the task in different forms, and cannot be compared: keep those of one form"
        problems.append(Problem(document.line(("model", CANDIDATES)), ("model", CANDIDATES), text))
    if shape is None:
        return resolvers[0], None, problems
    for place, one in enumerate(shape.candidates):
        if one in shape.candidates[:place]:
            path = ("model", CANDIDATES, place)
            problems.append(Problem(document.line(path), path, "this candidate stands here twice"))
    return resolvers[0], Candidates(tuple(shape.candidates), shape.limits.limits()), problems


def _placed(problem: Problem, place: int) -> Problem:
    if problem.path[:1] != ("model",):
        return problem
    return replace(problem, path=("model", CANDIDATES, place, *problem.path[1:]))
