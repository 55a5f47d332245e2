from __future__ import annotations

from model import errors


def subclasses(base: type[Exception]) -> list[type[Exception]]:
    return [error for child in base.__subclasses__() for error in (child, *subclasses(child))]


def test_the_tree_in_the_docstring_names_every_error() -> None:
    documented = errors.__doc__ or ""
    for error in subclasses(errors.SilhouetteError):
        if error.__module__ == errors.__name__:
            assert f" {error.__name__} " in documented, error


def test_a_code_is_the_name_of_its_class_in_kebab_case() -> None:
    assert errors.code_of("NotAPhoto") == "not-a-photo"
    assert errors.code_of("Busy") == "busy"
