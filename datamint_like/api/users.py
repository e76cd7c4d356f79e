"""Calls about users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

from datamint_like.api._choices import email_of
from datamint_like.api._endpoint import Endpoint, first, id_of, several
from datamint_like.entities import User
from datamint_like.exceptions import EntityAlreadyExistsError, ItemNotFoundError, ValidationError


class UsersApi(Endpoint):
    """Users of the store; the e-mail address is the id.

    Example:
        >>> user = api.users.create("ana@lab.example", firstname="Ana")
        >>> [each.email for each in api.users.get_list()]
        ['root@localhost', 'ana@lab.example']
    """

    def get_list(self, limit: int | None = None) -> list[User]:
        """All users, or the first `limit`.

        Example:
            >>> [user.email for user in api.users.get_list(limit=1)]
            ['root@localhost']
        """
        return first(self._backend.list_users(), limit)

    def get_all(self, limit: int | None = None) -> list[User]:
        """All users, or the first `limit`.

        Example:
            >>> len(api.users.get_all())
            1
        """
        return self.get_list(limit)

    def get_by_id(self, entity_id: str) -> User:
        """The user with this e-mail address.

        Raises:
            ItemNotFoundError: The store has no such user.

        Example:
            >>> api.users.get_by_id("root@localhost").email
            'root@localhost'
        """
        return self._backend.get_user(entity_id)

    def get_by_email(self, email: str) -> User:
        """The user with this e-mail address.

        Example:
            >>> api.users.get_by_email("root@localhost").email
            'root@localhost'
        """
        return self.get_by_id(email)

    def get_current(self) -> User:
        """The user in whose name this handle writes.

        Example:
            >>> api.users.get_current().email
            'root@localhost'
        """
        return self._backend.current_user()

    @overload
    def create(
        self,
        email: str,
        password: str | None = ...,
        firstname: str | None = ...,
        lastname: str | None = ...,
        roles: Sequence[str] | None = ...,
        *,
        return_entity: Literal[True] = ...,
        exists_ok: bool = ...,
    ) -> User: ...
    @overload
    def create(
        self,
        email: str,
        password: str | None = ...,
        firstname: str | None = ...,
        lastname: str | None = ...,
        roles: Sequence[str] | None = ...,
        *,
        return_entity: Literal[False],
        exists_ok: bool = ...,
    ) -> str: ...
    def create(
        self,
        email: str,
        password: str | None = None,
        firstname: str | None = None,
        lastname: str | None = None,
        roles: Sequence[str] | None = None,
        *,
        return_entity: bool = True,
        exists_ok: bool = False,
    ) -> User | str:
        """The new user (its e-mail address with `return_entity=False`).

        Raises:
            EntityAlreadyExistsError: The address is taken and `exists_ok` is False.
            ValidationError: It is no e-mail address.
            NotImplementedError: `password` is given: an embedded store has no sign-in.

        Example:
            >>> api.users.create("ana@lab.example", firstname="Ana").firstname
            'Ana'
            >>> api.users.create("ana@lab.example", exists_ok=True, return_entity=False)
            'ana@lab.example'
        """
        if password is not None:
            raise NotImplementedError("This store has no sign-in, so a user cannot have a password. Leave it out.")
        user = self._existing(email_of(email, "A user"))
        if user is not None and not exists_ok:
            raise EntityAlreadyExistsError(
                f"There is a user {email!r} already. Use another address, or exists_ok=True to take this one."
            )
        if user is None:
            user = self._backend.create_user(
                User.from_dict(
                    {
                        "email": email,
                        "created_at": "",
                        "customer_id": "",
                        "firstname": firstname,
                        "lastname": lastname,
                        "roles": _roles(roles),
                    }
                )
            )
        return user if return_entity else user.email

    def _existing(self, email: str) -> User | None:
        try:
            return self._backend.get_user(email)
        except ItemNotFoundError:
            return None

    def update_user(self, email: str | User, **changes: Any) -> User:
        """The user after `firstname=`, `lastname=` or `roles=` were changed.

        Example:
            >>> user = api.users.create("ana@lab.example")
            >>> api.users.update_user("ana@lab.example", lastname="Lima").lastname
            'Lima'
        """
        if "roles" in changes:
            changes["roles"] = _roles(changes["roles"])
        return self._backend.update_user(id_of(email, User), changes)

    def delete_user(self, email: str | User) -> None:
        """Remove a user; what they uploaded and annotated stays under their address.

        Example:
            >>> user = api.users.create("ana@lab.example")
            >>> api.users.delete_user(user)
            >>> len(api.users.get_all())
            1
        """
        self._backend.delete_user(id_of(email, User))

    update = update_user
    delete = delete_user


def _roles(given: Sequence[str] | None) -> tuple[str, ...]:
    roles = several(given, "roles", '["PROJECT_ANNOTATOR"]')
    if not all(isinstance(role, str) and role.strip() for role in roles):
        raise ValidationError(f"roles is a list of texts that are not empty, not {given!r:.80}.")
    return tuple(roles)
