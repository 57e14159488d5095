"""`card.md`: what the model is for, what it was made from and how good it is; no times and no places."""

from __future__ import annotations

from tuneloop.artifact import Manifest


def model_card(manifest: Manifest, findings: int) -> str:
    """The model card as Markdown.

    Args:
        manifest: What it tells.
        findings: How many findings the data check had.
    """
    served = next(name for name, variant in manifest.variants.items() if variant.served)
    rows = "".join(f"| {name} | {count} |\n" for name, count in sorted(manifest.data.rows.items()))
    figures = "".join(f"| {name} | {value:.4f} |\n" for name, value in sorted(manifest.metrics.items()))
    columns = ", ".join(f"`{column.name}` ({column.kind})" for column in manifest.signature.columns)
    outputs = ", ".join(manifest.signature.output_names)
    parent = f"the champion `{manifest.lineage.parent[:16]}`" if manifest.lineage.parent else "the base model"
    return f"""# {manifest.model}

## Use
Task `{manifest.task.name}`. Input: {columns}. Output: {outputs}.
It answers for rows like those it was made from; others show as drift.

## Making
Base model `{manifest.base_model}`, strategy `{manifest.strategy}`, started from {parent}.
Served variant: {served}. Largest difference of the export: {manifest.parity.max_difference:.3g}.

## Data
Content fingerprint `{manifest.data.fingerprint}`; findings of the data check: {findings}.

| split | rows |
|---|---|
{rows}
## Figures on the test split
| metric | value |
|---|---|
{figures}"""
