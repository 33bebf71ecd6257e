"""What the three specs are built of: JSON names, markers on fields, and the pieces that kinds share.

A field's type says what the API server accepts, its docstring is what `kubectl explain` shows, its markers say the rest:

    Rule              a CEL rule with the sentence that a person sees
    Kept              SageMaker has the field, Kindler does not act on it: reported in status.ignoredFields; its values are
                      not judged, so that what a newer SageMaker takes still applies
    RequiredByRule    needed, but a Rule says so (with a better sentence than "Required value")
    FormByRule        of a form, but a Rule says so (with a better sentence than "must be of type date-time")
    ListMap           a list whose items are told apart by one field

The API server is the judge. Parsing here only gives types to what it let pass, so types and bounds are all that both sides check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError

# Words that AWS's controller for SageMaker (ACK) writes in capitals, unless they begin a name.
_CAPITALS: Final = {
    "arn": "ARN",
    "gb": "GB",
    "id": "ID",
    "ids": "IDs",
    "mb": "MB",
    "s3": "S3",
    "ssm": "SSM",
    "uri": "URI",
    "url": "URL",
}


def json_name(attribute: str) -> str:
    """The JSON name of an attribute, in ACK's casing: `memory_size_in_mb` is memorySizeInMB, `s3_uri` is s3URI, `type_` is type_."""
    first, *rest = attribute.rstrip("_").split("_")
    return (
        first
        + "".join(_CAPITALS.get(word, word.capitalize()) for word in rest)
        + ("_" if attribute.endswith("_") else "")
    )


FORBIDDEN: Final = "FieldValueForbidden"
INVALID: Final = "FieldValueInvalid"
REQUIRED: Final = "FieldValueRequired"

EXCLUDED: Final = "not available on serverless endpoints, as on SageMaker"


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule: true for good values. `field` moves the error from the place of the rule to one of its sub-fields (JSON path, `.name`)."""

    rule: str
    message: str
    reason: str = INVALID
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The field has no effect, for this reason. `warn`: somebody who sets it should be told at once, by an admission warning."""

    why: str
    warn: bool = False


@dataclass(frozen=True, slots=True)
class RequiredByRule:
    """Not in the schema's `required`: a Rule refuses its absence."""


@dataclass(frozen=True, slots=True)
class FormByRule:
    """Text of at most `max_length` characters without the schema's `format`: a Rule refuses what is not of the form."""

    max_length: int


@dataclass(frozen=True, slots=True)
class ListMap:
    """Items are told apart by `key` (JSON name): no two alike, and server-side apply merges them."""

    key: str


class Block(BaseModel):
    """One JSON object of a spec or status: frozen, snake_case attributes, ACK's names in JSON. Unknown fields are passed over (a newer schema)."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=json_name,
        populate_by_name=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),  # model_name is a field of ours
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def parse(cls, value: dict[str, Any]) -> Self:
        """Reads the JSON object as the API server stores it; raises pydantic's ValidationError, a ValueError, when it is not one."""
        return cls.model_validate(value)


def unreadable(failure: Exception) -> str:
    """What `parse` stumbled over first, for a person: "scalingPolicies[0].policyName is 7: Input should be a valid string"."""
    if not isinstance(failure, ValidationError):
        return " ".join(str(failure).split())
    first = failure.errors(include_url=False)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    value = f" is {first['input']!r:.100}" if isinstance(first["input"], str | int | float) else ""
    return f"{place}{value}: {first['msg']}".lstrip(": ")


# --- Types that several kinds use. Everything that a rule reaches is bounded: the API server prices rules by the largest value.

NAME_PATTERN: Final = "^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"


def name_rule(field: str) -> Rule:
    return Rule(
        f"self.matches('{NAME_PATTERN}')",
        f"{field} may hold letters, digits and hyphens, and must begin and end with a letter or digit, as my-name-1; choose such a name",
    )


Name = Annotated[str, MaxLen(63)]  # with name_rule, which also refuses the empty name
ShortText = Annotated[str, MaxLen(256)]
Text = Annotated[str, MaxLen(1024)]
Arn = Annotated[str, MaxLen(2048)]


class Tag(Block):
    """A key and a value."""

    key: Annotated[str, MinLen(1), MaxLen(128)]
    """The tag's key, at most 128 characters."""
    value: ShortText | None = None
    """The tag's value, at most 256 characters; may be empty."""


Tags = Annotated[tuple[Tag, ...], MaxLen(50)]


class VPCConfig(Block):
    """A SageMaker VPC configuration. Not available on serverless endpoints: only empty lists are accepted."""

    RULES = (
        Rule(
            "(!has(self.securityGroupIDs) || size(self.securityGroupIDs) == 0) && (!has(self.subnets) || size(self.subnets) == 0)",
            f"vpcConfig is {EXCLUDED}, and would be without effect; remove it, and limit traffic with a NetworkPolicy",
            FORBIDDEN,
        ),
    )

    security_group_ids: Annotated[tuple[ShortText, ...], MaxLen(16)] | None = None
    """Security groups of the VPC. Not available on serverless endpoints: leave empty."""
    subnets: Annotated[tuple[ShortText, ...], MaxLen(16)] | None = None
    """Subnets of the VPC. Not available on serverless endpoints: leave empty."""


NETWORK_ISOLATION_RULE: Final = Rule(
    "!self",
    f"enableNetworkIsolation is {EXCLUDED}: the container would not be isolated; remove it, and limit traffic with a NetworkPolicy",
    FORBIDDEN,
)
