"""`card.md`: what the model is for, what it was made from, how good it is, where it fails; no times, no places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneloop.artifact import Manifest
from tuneloop.config.card_shape import Card
from tuneloop.pipeline.choosing.choice import shortened
from tuneloop.pipeline.data.about import about, counted
from tuneloop.pipeline.data.rows import StoredRows, open_rows
from tuneloop.pipeline.documents.choices import shown
from tuneloop.pipeline.documents.warnings import warnings_of
from tuneloop.pipeline.evaluating.candidates import LIKENESS
from tuneloop.pipeline.evaluating.energy import Energy
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.records import RunRequest
from tuneloop.pipeline.runs.step import StepContext

_ANSWERS = {
    "regression": "a number",
    "mse": "a number",
    "span": "a part of the context",
    "text": "a text",
    "generation": "a text",
}
"""By how a task is judged, or by its loss where it does not say."""
_SLICES = 5
_NOT_STATED = "not stated (`card` in tuneloop.yaml)"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card tells beside the manifest.

    Attributes:
        card: What the project says.
        checkpoint: The pre-trained model the base model was made from, and its revision; none: it was not pre-trained.
        answers: What the model answers, where that is no list of labels.
        before: What `probe` among the baselines is: a linear probe, or the untuned model.
        about: What the data source says of its data: licence, citation, address.
        counts: How often columns of the data say which licence, and which consent.
        changes: What changed the rows, and what was made more of.
        findings: Of the data check: name and sentence.
        baselines: Metric to value on test, of the most frequent answer (or the mean) and of the linear probe.
        maximize: Whether more of a metric is better.
        assessment: Of the served model.
    """

    card: Card
    checkpoint: tuple[str, ...]
    answers: str | None
    before: str
    about: Mapping[str, str]
    counts: str
    changes: str
    findings: Sequence[tuple[str, str]]
    baselines: Mapping[str, Mapping[str, float]]
    maximize: Mapping[str, bool]
    assessment: Mapping[str, Any]


def card_facts(context: StepContext, assessment: Mapping[str, Any]) -> CardFacts:
    """The facts of a run that is about to be sealed."""
    scorer, baseline = Scorer(context.project, context.plugins), context.done["baseline"].output
    return CardFacts(
        card=context.project.card,
        checkpoint=_checkpoint(context),
        answers=_ANSWERS.get(str(parts.task_class(context).judged_as or parts.task_class(context).loss)),
        before=before_tuning(context),
        about=about(context.done),
        counts=_counts(context),
        changes=_changes(context),
        findings=[(one["name"], one["text"]) for one in findings_of(context)],
        baselines={"constant": baseline["constant"], "probe": baseline["probe"]},
        maximize={name: scorer.maximize(name) for name in scorer.metrics},
        assessment=assessment,
    )


def before_tuning(context: StepContext) -> str:
    """What the better one of the baselines is: a model that writes or spells texts has no head to probe without."""
    return "untuned model" if parts.task_class(context).loss in ("likelihood", "ctc") else "linear probe"


def _changes(context: StepContext) -> str:
    names = ", ".join(f"`{name}`" for name, _ in context.project.data.transforms)
    made = context.done["split"].output["augmented"]
    also = f" {made} of the training rows are changed copies of others." if made else ""
    return f"Transforms: {names}.{also}\n" if names else ""


def _counts(context: StepContext) -> str:
    card, load = context.project.card, context.done["load"]
    columns = {"Licences": card.license_column, "Consent": card.consent_column}
    if not any(columns.values()):
        return ""
    rows = StoredRows(open_rows(load.folder / load.output["rows"]))
    return "".join(
        f"{what} by column `{name}`, rows: {counted(rows, name)}.\n" for what, name in columns.items() if name
    )


def _as_told(about: Mapping[str, str], *names: str) -> str:
    told = ", ".join(about[name].rstrip(".") for name in names if name in about)
    return f"{told} (as the data source says)" if told else _NOT_STATED


def _checkpoint(context: StepContext) -> tuple[str, ...]:
    options = context.project.model.options
    name, revision = getattr(options, "checkpoint", None), getattr(options, "revision", None)
    # Where it lay on the machine is nobody's business; a name on the hub and a folder of the project say what it is.
    return (shortened(name), *filter(None, (revision,))) if name else ()


def findings_of(context: StepContext) -> list[dict[str, Any]]:
    """What was found in the rows: by the data check, and once they were encoded."""
    return [*context.done["check"].output["findings"], *context.done["baseline"].output["findings"]]


def model_card(manifest: Manifest, facts: CardFacts) -> str:
    """The model card as Markdown, in the order of M. Mitchell et al., "Model Cards for Model Reporting", 2019."""
    card = facts.card
    columns = ", ".join(f"`{column.name}` ({column.kind})" for column in manifest.signature.columns)
    outputs = facts.answers or ", ".join(manifest.signature.output_names[:50])
    rows = "".join(f"| {name} | {count} |\n" for name, count in sorted(manifest.data.rows.items()))
    return f"""# {manifest.model}

## Use
{card.use or f"Meant for: {_NOT_STATED}."}

Task `{manifest.task.name}`. Input: {columns}. Output: {outputs}.
{f"Not meant for: {card.not_for}" if card.not_for else "Not meant for rows unlike those it was made from."}
Licence of the model: {card.license or _NOT_STATED}. Contact: {card.contact or _NOT_STATED}.

## Making
{_making(manifest, facts)}

## Data
{data_words(facts)}\
Content fingerprint `{manifest.data.fingerprint}`.

| split | rows |
|---|---|
{rows}
{facts.changes}{_findings(facts.findings)}
## Figures on the test split
{_figures(manifest, facts)}
{_calibration(manifest)}
## Limits
{_limits(facts)}
## Lineage
{_lineage(manifest)}"""


def data_words(facts: CardFacts) -> str:
    """Where the data come from, under which licence and on what ground: as the project, the source or the rows say."""
    card = facts.card
    return (
        f"Source: {card.data_source or _as_told(facts.about, 'citation', 'homepage')}. "
        f"Licence: {card.data_license or _as_told(facts.about, 'license')}.\n"
        f"Consent and grounds: {card.consent or _NOT_STATED}.\n{facts.counts}"
    )


def run_card(card: str, request: RunRequest, energy: Energy) -> str:
    """The card of one run: that of the model, and what no equal run would share."""
    used = f"Energy of training: {energy_words(energy)}."
    return f"{card}\n## Run\nRun `{request.run}`, started {request.started}.\n{used}\n"


def energy_words(energy: Energy) -> str:
    """What was used, or why that is not known."""
    if energy.kwh is None:
        return f"not measured: {energy.reason}"
    used = f"{energy.kwh:.4g} kWh in {energy.seconds:.0f} s on {energy.hardware or 'this machine'}"
    used += f" ({', '.join(energy.steps)})" if energy.steps else ""
    if energy.co2 is None:
        return f"{used}; CO2 not known: {energy.reason}"
    return f"{used}, {energy.co2:.3g} kg of CO2 equivalents with the electricity of {energy.country}"


def _making(manifest: Manifest, facts: CardFacts) -> str:
    served = next(name for name, variant in manifest.variants.items() if variant.served)
    parent = f"the champion `{manifest.lineage.parent[:16]}`" if manifest.lineage.parent else "the base model"
    teacher = manifest.lineage.teacher
    taught = f", taught by `{teacher.model}` `{teacher.sha256[:16]}`" if teacher else ""
    tuned = f" ({' at '.join(f'`{part}`' for part in facts.checkpoint)})" if facts.checkpoint else ""
    return (
        f"Base model `{manifest.base_model}`{tuned}, strategy `{manifest.strategy}`, started from {parent}{taught}.\n"
        f"Served variant: {served}. Largest difference of the export: {manifest.parity.max_difference:.3g} on "
        f"{manifest.parity.rows} rows, {manifest.parity.changed_answers} changed answers."
        f"{_chosen(manifest)}"
    )


def _chosen(manifest: Manifest) -> str:
    """What candidates and a search left, in a sentence."""
    if not manifest.chosen:
        return ""
    listed = ", ".join(f"`{path}: {shown(_here(value))}`" for path, value in manifest.chosen.items())
    return f"\nChosen by a comparison on the validation rows: {listed}."


def _here(value: Any) -> Any:
    """A value without where files lay on this machine."""
    return {name: shortened(one) for name, one in value.items()} if isinstance(value, Mapping) else shortened(value)


def _findings(findings: Sequence[tuple[str, str]]) -> str:
    if not findings:
        return "The data check found nothing.\n"
    return "The data check found:\n" + "".join(f"- {name}: {text}\n" for name, text in findings)


def _figures(manifest: Manifest, facts: CardFacts) -> str:
    head = f"| metric | better | constant | {facts.before} | served | 95 % interval |\n|---|---|---|---|---|---|\n"
    lines = []
    for name, value in sorted(manifest.metrics.items()):
        ends = manifest.intervals.get(name)
        between = f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else "not known"
        plain = " | ".join(
            f"{facts.baselines[one][name]:.4f}" if name in facts.baselines[one] else "" for one in facts.baselines
        )
        better = "more" if facts.maximize.get(name, True) else "less"
        lines.append(f"| {name} | {better} | {plain} | {value:.4f} | {between} |\n")
    return head + "".join(lines) + "\nIntervals: bootstrap over rows (BCa).\n"


def _calibration(manifest: Manifest) -> str:
    found = manifest.temperature
    if found is None:
        return ""
    return (
        f"Calibration: temperature {found.value:.4g} ({found.reason}). Expected calibration error on test "
        f"{found.error_before:.4f} -> {found.error_after:.4f}.\n"
    )


def _limits(facts: CardFacts) -> str:
    # Which rows a model takes for alike says nothing to who reads a card; the report names the rows.
    weak = [one for one in facts.assessment["slices"] if one["proven"] and one["by"] != LIKENESS]
    lines = [f"Warning: {text}.\n\n" for text in warnings_of(facts.assessment, facts.before)]
    lines += [f"{facts.card.limits}\n\n"] if facts.card.limits else []
    if weak:
        lines.append(
            f"Worse than on other held-out rows, beyond chance ({facts.assessment['error']}; "
            f"{facts.assessment['looked']} slices looked at, p by Holm's correction):\n"
        )
        lines += [
            f"- {one['by']} {one['value']}: {one['error']:.4f} on {one['rows']} rows, elsewhere {one['rest']:.4f} "
            f"(p {one['p']:.2g})\n"
            for one in weak[:_SLICES]
        ]
    else:
        looked = facts.assessment["looked"]
        lines.append(
            f"None of {looked} slices looked at, by column, length or class, is worse beyond chance.\n"
            if looked
            else "No slices of the rows were looked at: these are too few, or their answers neither right nor wrong.\n"
        )
    if facts.assessment["labels"]:
        count = len(facts.assessment["labels"])
        lines.append(f"\n{count} labels of the data may be wrong; `evaluation/` of the run lists them.\n")
    return "".join(lines)


def _lineage(manifest: Manifest) -> str:
    parent = f"`{manifest.lineage.parent}`" if manifest.lineage.parent else "none"
    teacher = manifest.lineage.teacher
    taught = f" Teacher: `{teacher.model}` `{teacher.sha256}`." if teacher else ""
    plugins = ", ".join(f"{use.distribution} {use.version}" for use in manifest.plugins)
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(manifest.libraries.items()))
    return (
        f"Parent: {parent}.{taught} Pipeline: `{manifest.lineage.pipeline}`.\n"
        f"Plugins: {plugins}. Libraries: {libraries}.\n"
    )
