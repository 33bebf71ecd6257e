"""The parts of the three specs: JSON names, markers on fields, and the types that several kinds use.

A field's type defines which values the API server accepts. Its docstring is the text of `kubectl explain`. Its markers
define the rest:

    Rule              a CEL rule and the message that a user gets when it fails
    WithoutEffect     SageMaker has the field, but Kindler does not act on it: status.ignoredFields lists it. Its values
                      are not validated, so that values of a newer SageMaker are accepted too
    RequiredByRule    the field is required by a Rule, whose message is better than "Required value"
    FormByRule        a Rule checks the format; its message is better than "must be of type date-time"
    ListMap           a list whose items are identified by one field

The API server validates objects. Parsing here only converts accepted objects to Python types. Therefore it checks only
types and bounds again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError

# Parts of names that AWS's controller for SageMaker (ACK) writes in capitals, except at the start of a name.
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
    """The JSON name of an attribute, in ACK's casing.

    `memory_size_in_mb` becomes memorySizeInMB, `s3_uri` becomes s3URI, `type_` stays type_.
    """
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
    """A CEL rule: true for valid values.

    The API server reports an error at the field that has the rule; `field` (JSON path, `.name`) moves it to a
    sub-field.
    """

    rule: str
    message: str
    reason: str = INVALID
    field: str | None = None


@dataclass(frozen=True, slots=True)
class WithoutEffect:
    """The field has no effect; `why` is the reason.

    `warn`: True if an admission warning tells the user that the field has no effect.
    """

    why: str
    warn: bool = False


@dataclass(frozen=True, slots=True)
class RequiredByRule:
    """Not in the schema's `required` list: a Rule rejects an object without the field."""


@dataclass(frozen=True, slots=True)
class FormByRule:
    """Text of at most `max_length` characters, without `format` in the schema: a Rule checks the format."""

    max_length: int


@dataclass(frozen=True, slots=True)
class ListMap:
    """Items are identified by `key` (JSON name): keys are unique, and server-side apply merges items by key."""

    key: str


class Block(BaseModel):
    """One JSON object of a spec or status: frozen, snake_case attributes, ACK's names in JSON.

    Unknown fields are ignored: a newer version of the schema may have written them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=json_name,
        populate_by_name=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),  # pydantic reserves the prefix model_, but model_name is a field here
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def parse(cls, value: dict[str, Any]) -> Self:
        """Reads the JSON object as the API server stores it. Raises pydantic's ValidationError (a ValueError)."""
        return cls.model_validate(value)


def unreadable(failure: Exception) -> str:
    """The first error of `parse` as text: "scalingPolicies[0].policyName is 7: Input should be a valid string"."""
    if not isinstance(failure, ValidationError):
        return " ".join(str(failure).split())
    first = failure.errors(include_url=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    value = f" is {first['input']!r:.100}" if isinstance(first["input"], str | int | float) else ""
    return f"{path}{value}: {first['msg']}".lstrip(": ")


# --- Types that several kinds use. Every value that a rule reads has a size limit, because the API server estimates the
# cost of a rule from the largest possible value.

NAME_PATTERN: Final = "^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"


def name_rule(field: str) -> Rule:
    return Rule(
        f"self.matches('{NAME_PATTERN}')",
        f"{field} may hold letters, digits and hyphens, and must begin and end with a letter or digit, as my-name-1;"
        " choose such a name",
    )


Name = Annotated[str, MaxLen(63)]  # always with name_rule, which also rejects the empty name
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
            "(!has(self.securityGroupIDs) || size(self.securityGroupIDs) == 0) && (!has(self.subnets) ||"
            " size(self.subnets) == 0)",
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
    f"enableNetworkIsolation is {EXCLUDED}: the container would not be isolated; remove it, and limit traffic with a"
    " NetworkPolicy",
    FORBIDDEN,
)
