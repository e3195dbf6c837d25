r"""Account names as products write them: `DOMAIN\user`, `user@domain`, `LOCAL\domain\user`.

ECS: `user.name` is "short name or login of the user", `user.domain` "name of the directory the user is
a member of".
"""

from __future__ import annotations

from contract.event import Fields


def split_account(account: str) -> tuple[str, str]:
    r"""Return (name, domain) of an account; the domain is empty where none is named.

    Of several `\` the last parts the name; the domain is what stands between it and the one before.
    A computer account (`HOST$`) and an address with an empty side stay whole.
    """
    if "\\" in account:
        domain, _, name = account.rpartition("\\")
        domain = domain.rstrip("\\").rpartition("\\")[2]
        return (name, domain) if name else (account, "")
    name, _, domain = account.partition("@")
    return (name, domain) if name and domain else (account, "")


def user_fields(prefix: str, account: str) -> Fields:
    """Return `<prefix>.name` and, where named, `<prefix>.domain` of an account."""
    name, domain = split_account(account)
    if domain:
        return {f"{prefix}.name": name, f"{prefix}.domain": domain}
    return {f"{prefix}.name": name}
