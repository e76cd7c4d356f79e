"""Users: who there is."""

from __future__ import annotations

from tests.interop.tour.guide import ANA, BO, Tour, agree, step


@step()
def create(tour: Tour) -> None:
    user = tour.api.users.create(ANA, password="secret-enough", firstname="Ana", lastname="B", roles=["annotator"])
    agree((user.email, user.firstname, list(user.roles)), (ANA, "Ana", ["annotator"]))
    agree(tour.api.users.create(BO, return_entity=False), None)  # the client looks for an id, which users have not


@step()
def exists_ok(tour: Tour) -> None:
    again = tour.api.users.create(ANA, exists_ok=True)
    agree((again.email, again.firstname), (ANA, "Ana"))


@step()
def get_list(tour: Tour) -> None:
    found = {user.email: user for user in tour.api.users.get_list()}
    agree({ANA, BO} <= set(found), True, str(sorted(found)))
    agree(tour.api.users.get_by_email(ANA).lastname, "B")


@step()
def update(tour: Tour) -> None:
    tour.api.users.update_user(BO, firstname="Bo", roles=["annotator"])
    agree(tour.api.users.get_by_id(BO).firstname, "Bo")


@step()
def delete(tour: Tour) -> None:
    tour.api.users.create("gone@lab.example")
    tour.api.users.delete_user("gone@lab.example")
    agree("gone@lab.example" in {user.email for user in tour.api.users.get_list()}, False)


@step()
def invite(tour: Tour) -> None:
    """Nothing is mailed: who is invited is a user from then on, and no invitation stays open."""
    tour.api.users.invite("new@lab.example", firstname="New")
    agree(tour.api.users.get_by_email("new@lab.example").firstname, "New")
    agree(tour.api.users.get_invitations(), [])
