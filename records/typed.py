"""The one reader of JSON that was on disk: a value of the shape that it must have, or what is wrong with it and where.

A shape is a TypedDict whose keys have types; bounds are `Annotated[int, Meta(ge=1)]`. What a shape does not name may be
there too: a later version wrote it. All numbers are finite, as JSON has no others.
"""

from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta as Meta

Shape = TypeVar("Shape")
Object = dict[str, Any]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
FileName = Annotated[str, Meta(pattern=r"^[\w=-][\w.=-]*$")]
"""What becomes part of a path: neither a path itself nor `..`."""


class Misshapen(ValueError):
    """A value has another shape; the message says where."""


def decode(text: bytes, shape: type[Shape]) -> Shape:
    """Returns the value of a JSON text.

    Raises:
        Misshapen: it is not JSON, or has another shape.
    """
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misshapen(f"not JSON ({error})") from None
    return shaped(value, shape)


def shaped(value: Any, shape: type[Shape]) -> Shape:
    """Returns the value itself. Raises Misshapen if it has another shape."""
    try:
        msgspec.convert(value, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Misshapen(str(error)) from None
    return cast("Shape", value)
