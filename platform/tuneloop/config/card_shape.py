"""`card`: what only people know of a model and its data; it stands in the model card as it is."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from tuneloop.config.section import Section, Text


@dataclass(frozen=True, slots=True)
class Card:
    """What the project says for the model card; None: not stated.

    Attributes:
        use: What the model is meant for.
        not_for: What it is not meant for.
        limits: Where it is known to fail.
        license: Licence of the model.
        data_license: Licence of the data.
        data_source: Where the data come from.
        license_column: Column of the data that says each row's licence.
        consent: On what ground data about people are used.
        consent_column: Column of the data that says what each row's people agreed to.
        contact: Whom to ask.
        country: ISO code of three letters of the country whose electricity the training used.
    """

    use: str | None = None
    not_for: str | None = None
    limits: str | None = None
    license: str | None = None
    data_license: str | None = None
    data_source: str | None = None
    license_column: str | None = None
    consent: str | None = None
    consent_column: str | None = None
    contact: str | None = None
    country: str | None = None


class CardShape(Section):
    """`card`."""

    use: Text | None = Field(None, description="What the model is meant for, and for whom.")
    not_for: Text | None = Field(None, description="What it is not meant for.")
    limits: Text | None = Field(None, description="Where it is known to fail.")
    license: Text | None = Field(None, description="Licence of the model.")
    data_license: Text | None = Field(
        None, description="Licence of the data, such as CC-BY-4.0. Default: what the data source says of it."
    )
    data_source: Text | None = Field(
        None,
        description="Where the data come from; a citation or an address. Default: what the data source says of it.",
    )
    license_column: Text | None = Field(
        None, description="Column of the data that says each row's licence; the card counts them."
    )
    consent: Text | None = Field(
        None, description="On what ground data about people are used: their consent, a contract, public data."
    )
    consent_column: Text | None = Field(
        None, description="Column of the data that says what each row's people agreed to; the card counts them."
    )
    contact: Text | None = Field(None, description="Whom to ask about the model.")
    country: str | None = Field(
        None,
        pattern=r"^[A-Z]{3}$",
        description="Country whose electricity the training uses, by the three letters of ISO 3166, such as DEU; "
        "with it the energy of a run is given in CO2 too.",
    )

    def card(self) -> Card:
        """The section in the form the pipeline reads."""
        return Card(**self.model_dump())
