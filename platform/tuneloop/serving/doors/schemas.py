"""The pydantic models of the typed door, made from what one model takes and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pydantic

from tuneloop.api import Answer, Column, Row, Task
from tuneloop.serving.doors.body import MOST_LABELS, MOST_ROWS
from tuneloop.serving.generating.options import MOST_TEXTS, GenerationOptions
from tuneloop.serving.wishes import DURABLE_HEADER

LONGEST_LABEL = 10_000
"""Characters of a label."""
LARGEST = 3.4028234663852886e38
"""The greatest float32: model inputs are float32."""

SHORT_SOUND = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQQAAAABAAIA"
"""Two samples as a WAV file, for the page: a golden example may be a megabyte."""

SHORT_IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNgaGD47wAABEQBwOpq4d8AAAAASUVORK5CYII="
"""Two by two pixels as a PNG file, for the page."""

_NUMBER = Annotated[float, pydantic.Field(ge=-LARGEST, le=LARGEST)]
_Byte = Annotated[int, pydantic.Field(ge=0, le=255)]
_TEXT = Annotated[str, pydantic.StringConstraints(pattern=r"^[^\x00]*$")]
_WORDS = Annotated[str, pydantic.StringConstraints(pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]


class Samples(pydantic.BaseModel):
    """A sound as numbers."""

    model_config = pydantic.ConfigDict(extra="forbid")

    array: list[Annotated[float, pydantic.Field(ge=-1, le=1)]] = pydantic.Field(
        min_length=1, description="Samples of one channel, -1 to 1."
    )
    sampling_rate: int = pydantic.Field(ge=2_000, le=384_000, description="Samples a second.")


class Pixels(pydantic.BaseModel):
    """A picture as numbers."""

    model_config = pydantic.ConfigDict(extra="forbid")

    array: list[list[_Byte] | list[Annotated[list[_Byte], pydantic.Field(min_length=3, max_length=3)]]] = (
        pydantic.Field(min_length=1, description="Rows of pixels: numbers for grey, or three for red, green and blue.")
    )


_KINDS: dict[str, tuple[Any, str]] = {
    "text": (_WORDS, "A text that is not blank."),
    "prompt": (_WORDS, "A text that is not blank, which the model goes on from."),
    "words": (
        _WORDS | Annotated[list[_WORDS], pydantic.Field(min_length=1)],
        "A text that is not blank, which is split into words; or a list of words.",
    ),
    "audio": (
        Annotated[str, pydantic.StringConstraints(min_length=1)] | Samples,
        "Base64 of a sound file (WAV; FLAC, OGG and MP3 where the server has soundfile); or samples with their rate.",
    ),
    "image": (
        Annotated[str, pydantic.StringConstraints(min_length=1)] | Pixels,
        "Base64 of an image file (PNG, JPEG, WEBP, GIF, BMP); or its pixels.",
    ),
    "number": (_NUMBER | None, "A finite number; null where it is missing."),
    "category": (
        _TEXT | bool | float | None,
        "A category; null where it is missing, any other value counts as unseen. 1, 1.0 and the text 1 are the same.",
    ),
}


@dataclass(frozen=True)
class Schemas:
    """The models of requests and responses, the columns they were made from, and rows to show."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    predict_request: type[pydantic.BaseModel]
    predict_response: type[pydantic.BaseModel]
    feedback_request: type[pydantic.BaseModel]
    feedback_response: type[pydantic.BaseModel]


class FeedbackItem(pydantic.BaseModel):
    """One label that came back."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    id: str = pydantic.Field(description="The id under which the answer was given.", pattern=r"^[ -~]{1,100}$")
    label: (
        Annotated[str, pydantic.StringConstraints(max_length=LONGEST_LABEL)]
        | bool
        | int
        | float
        | Annotated[list[Annotated[str, pydantic.StringConstraints(max_length=200)]], pydantic.Field(max_length=4000)]
    ) = pydantic.Field(
        description="What the answer should have been; a list of tags where words have one each, of labels where any "
        "number may apply, or of texts that are right."
    )


class FeedbackRequest(pydantic.BaseModel):
    """Labels by prediction id; sending one again changes nothing, another one replaces it."""

    model_config = pydantic.ConfigDict(extra="forbid")

    items: list[FeedbackItem] = pydantic.Field(min_length=1, max_length=MOST_LABELS)


class Refused(pydantic.BaseModel):
    """A label that was not taken."""

    item: int = pydantic.Field(description="Its position in the request, from 0.")
    id: str
    reason: str


class FeedbackResponse(pydantic.BaseModel):
    """What became of the labels."""

    stored: int = pydantic.Field(description="Labels kept by this request: joined and orphaned, new or changed.")
    joined: int = pydantic.Field(description="Labels of predictions that are in the store.")
    orphaned: int = pydantic.Field(description="Labels kept until their prediction is stored.")
    changed: int = pydantic.Field(description="Labels that replaced another one.")
    unchanged: int = pydantic.Field(description="Labels that were known already.")
    unsampled: int = pydantic.Field(description="Labels not kept, as their predictions are left out of the store.")
    refused: list[Refused] = pydantic.Field(description="Labels that cannot be answers of this model.")


def make_schemas(
    columns: Sequence[Column], task: Task, rows: Sequence[Row], answers: Sequence[Answer], model: str, version: str
) -> Schemas:
    """The models for one model.

    Args:
        columns: What a row has.
        task: Its `AnswerModel` is what one row gets.
        rows: Golden rows; the first is the example of a request.
        answers: Golden answers; the first is the example of a response.
        model: Its name, for the example.
        version: Its version, for the example.
    """
    fields: dict[str, Any] = {}
    for position, column in enumerate(columns):
        kind, said = _KINDS[column.kind]
        # Column names are any texts, and field names are not; the alias is what clients see.
        fields[f"column_{position}"] = (kind, pydantic.Field(alias=column.name, description=said))
    row = pydantic.create_model(
        "Row", __config__=pydantic.ConfigDict(extra="forbid"), __doc__="What the model is asked about.", **fields
    )
    prediction = pydantic.create_model(
        "Prediction",
        __base__=task.AnswerModel,
        id=(str, pydantic.Field(description="Send the label back to POST /feedback under this id.")),
    )
    short = {"audio": SHORT_SOUND, "image": SHORT_IMAGE}
    files = {column.name: short[column.kind] for column in columns if column.kind in short}
    shown = [{**one, **files} for one in rows]
    example_rows: Any = shown[:2]
    example_answers: Any = [{"id": f"{i:024x}", **one} for i, one in enumerate(answers[:2])]
    generates = task.loss == "likelihood"
    more: dict[str, Any] = {}
    if generates:
        described = pydantic.Field(None, description="How the texts are generated; by default the most probable ones.")
        more = {"options": (GenerationOptions | None, described)}
    request = pydantic.create_model(
        "PredictRequest",
        __config__=pydantic.ConfigDict(extra="forbid", json_schema_extra={"example": {"rows": example_rows}}),
        __doc__="Rows to answer, in order.",
        rows=(list[row], pydantic.Field(min_length=1, max_length=MOST_TEXTS if generates else MOST_ROWS)),
        **more,
    )
    response = pydantic.create_model(
        "PredictResponse",
        __config__=pydantic.ConfigDict(
            json_schema_extra={"example": {"model": model, "version": version, "predictions": example_answers}}
        ),
        __doc__="One prediction a row, in order, and the version that gave them.",
        model=(str, ...),
        version=(str, ...),
        predictions=(list[prediction], ...),
        stored=(
            bool,
            pydantic.Field(
                False, description=f"Whether the predictions are stored; only where {DURABLE_HEADER} asked for it."
            ),
        ),
    )
    return Schemas(columns, shown, request, response, FeedbackRequest, FeedbackResponse)
