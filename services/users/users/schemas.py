"""JSON schemas of the API of users."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chassis.http.requests import PageParameters, PatchBody, RequestBody
from chassis.http.responses import Timestamp
from chassis.http.text_fields import (
    MULTI_LINE,
    SINGLE_LINE,
    comparison_form,
    is_identifier,
    matcher,
)
from users.model import FORMER_MEMBER, normalize_username

# Letters, marks and digits of all scripts, `_`, `.` and `-`, as pydantic's engine reads `\w`.
_has_username_form = matcher(r"^[^\W_][\w.-]{2,29}$")
# What means the same to every engine: `\w` has ASCII letters only in ECMA-262. The rules for other
# characters no pattern can express.
_USERNAME_PATTERN = r"^[^\x00-/:-@\[-`{-\x7f][^\x00-,/:-@\[-^`{-\x7f]*$"
ID = r"[0-9A-Za-z-]{1,64}"


def _check_username(value: str) -> str:
    normalized = normalize_username(value)
    well_formed = _has_username_form(value) and is_identifier(normalized)
    if not (well_formed and 3 <= len(normalized) <= 30):
        message = (
            "must be 3 to 30 letters, digits, dots, dashes or underscores,"
            " beginning with a letter or digit"
        )
        raise ValueError(message)
    return value


def _check_not_reserved(value: str) -> str:
    if comparison_form(value) == FORMER_MEMBER:
        message = "is reserved for deleted accounts"
        raise ValueError(message)
    return value


Username = Annotated[
    str,
    Field(
        json_schema_extra={"pattern": _USERNAME_PATTERN, "minLength": 3, "maxLength": 30},
        description="Letters and digits of any script, dots, dashes and underscores.",
    ),
    AfterValidator(_check_username),
]
Password = Annotated[str, Field(min_length=8, max_length=128), MULTI_LINE]
CurrentPassword = Annotated[str, Field(min_length=1, max_length=128), MULTI_LINE]
DisplayName = Annotated[
    str, Field(max_length=50, pattern=r"\S"), SINGLE_LINE, AfterValidator(_check_not_reserved)
]
Bio = Annotated[str, Field(max_length=500), MULTI_LINE]
Role = Literal["member", "moderator"]


class NewUser(RequestBody):
    """A registration."""

    username: Username
    password: Password
    display_name: DisplayName = Field(default_factory=str)


class Credentials(RequestBody):
    """A name and a password to sign in with."""

    username: Annotated[str, Field(min_length=1, max_length=64), MULTI_LINE]
    password: CurrentPassword


class NewPassword(RequestBody):
    """The current password and the new one."""

    current: CurrentPassword
    new: Password


class UserChange(PatchBody):
    """Changes of a person; at least one field, and one's own password with a role."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "dependentRequired": {"role": ["password"], "password": ["role"]},
        }
    )

    display_name: DisplayName = Field(default_factory=str)
    bio: Bio = Field(default_factory=str)
    role: Role = Field(default_factory=lambda: "member")
    suspended: bool = Field(default_factory=bool)
    password: CurrentPassword = Field(default_factory=str)

    @model_validator(mode="after")
    def _check_password_comes_with_a_role(self) -> Self:
        if ("role" in self.model_fields_set) != ("password" in self.model_fields_set):
            message = "must name a new role and one's own password together, or neither"
            raise ValueError(message)
        return self


class PasswordConfirmation(RequestBody):
    """One's own password, to confirm what cannot be undone."""

    password: CurrentPassword


class UserPath(BaseModel):
    """The id of a person."""

    user_id: Annotated[str, Field(pattern=f"^{ID}$")]


class UsersQuery(PageParameters):
    """A page of people, or the people with these ids."""

    ids: Annotated[str, Field(pattern=f"^{ID}(,{ID}){{0,99}}$")] = Field(default_factory=str)


class UserOut(BaseModel):
    """A person."""

    id: str
    username: str
    display_name: str
    bio: str
    role: Role
    created_at: Timestamp


class UsersOut(BaseModel):
    """A page of people; `next` is the cursor of the next page."""

    items: list[UserOut]
    next: str | None


class SessionOut(BaseModel):
    """A session that was just opened; `token` goes into `Authorization: Bearer`."""

    token: str
    expires_at: Timestamp
    user: UserOut


class ErasingOut(BaseModel):
    """An account whose erasure has begun."""

    id: str
    status: Literal["erasing"]


class ErasureOut(BaseModel):
    """The progress of an erasure: `erased` once no component has data of the person."""

    id: str
    status: Literal["erasing", "erased"]
    requested_at: Timestamp
    finished_at: Timestamp | None
