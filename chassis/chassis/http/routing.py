"""Route decorators for the methods of a class.

Example:
    class PostsApi:
        @get("/<id:post_id>", operation_id="getPost")
        def get_post(self, path: PostPath) -> Response: ...

    add_routes(blueprint, PostsApi(posts))
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

HANDLER = TypeVar("HANDLER", bound=Callable[..., Any])
_ATTRIBUTE = "__route__"


def route(method: str, rule: str, **options: Any) -> Callable[[HANDLER], HANDLER]:
    """Mark a method as the handler of a rule; `options` are those of the blueprint's decorator."""

    def mark(handler: HANDLER) -> HANDLER:
        setattr(handler, _ATTRIBUTE, (method, rule, options))
        return handler

    return mark


get, post, put, patch, delete = (
    partial(route, method) for method in ("get", "post", "put", "patch", "delete")
)


def add_routes(blueprint: Any, handlers: object) -> None:
    """Register all marked methods of an object, in the order of their definition.

    `blueprint` is Flask's `Blueprint` or flask-openapi3's `APIBlueprint`.
    """
    for name, function in vars(type(handlers)).items():
        if marked := getattr(function, _ATTRIBUTE, None):
            method, rule, options = marked
            handler = getattr(handlers, name)
            getattr(blueprint, method)(rule, **options)(_as_function(handler))


def _as_function(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a bound method: flask-openapi3 sets attributes, which a method does not allow."""

    @wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    return call
