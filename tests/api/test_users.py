"""Users: made, found, changed, removed."""

from __future__ import annotations

import pytest

from datamint_like import Api
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError


def test_a_new_user_is_found_by_e_mail(api: Api) -> None:
    made = api.users.create("a@lab.example", firstname="Ana", roles=["PROJECT_ANNOTATOR"])
    assert api.users.get_by_id("a@lab.example") == api.users.get_by_email("a@lab.example") == made
    assert (made.id, made.firstname, made.roles) == ("a@lab.example", "Ana", ("PROJECT_ANNOTATOR",))
    assert made in api.users.get_all()
    assert len(api.users.get_list(limit=1)) == 1
    assert api.users.create("b@lab.example", return_entity=False) == "b@lab.example"


def test_there_is_a_current_user_who_is_the_author_of_what_is_made(api: Api, xray: str) -> None:
    email = api.users.get_current().email
    assert api.resources.get_by_id(xray).created_by == email
    assert email in [user.email for user in api.users.get_list()]


def test_an_address_that_is_taken_is_refused_unless_it_may_exist(api: Api) -> None:
    made = api.users.create("a@lab.example")
    with pytest.raises(EntityAlreadyExistsError, match=r"a@lab\.example.*exists_ok=True"):
        api.users.create("a@lab.example")
    assert api.users.create("a@lab.example", exists_ok=True) == made


def test_a_user_changes_and_goes(api: Api) -> None:
    user = api.users.create("a@lab.example")
    assert api.users.update_user("a@lab.example", lastname="B").lastname == "B"
    assert api.users.update(user, roles=["x"]).roles == ("x",)
    api.users.delete_user(user)
    with pytest.raises(ItemNotFoundError, match=r"a@lab\.example"):
        api.users.get_by_email("a@lab.example")
    with pytest.raises(ItemNotFoundError):
        api.users.delete("a@lab.example")


def test_a_store_without_sign_in_takes_no_password(api: Api) -> None:
    with pytest.raises(NotImplementedError, match="password"):
        api.users.create("a@lab.example", "word")
    assert "a@lab.example" not in [user.email for user in api.users.get_all()]
