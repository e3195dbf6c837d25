"""Our table in the kernel, as one thread sees it: commands, listings, and single addresses looked up.

Commands and listings have a libnftables context each: a context that has listed a large set keeps it in a cache,
and then spends milliseconds on throwing it away before the next command (measured with 1.0.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contract.errors import PointError
from respond.nft import table
from respond.nft.library import CommandError, Library
from respond.nft.netlink import Lookup
from respond.target import Network

_FIND_AT_MOST = 2_000
"""Single addresses looked up one by one (20 µs each); beyond, the whole set is listed."""


class Kernel:
    """Made and used by one thread, which enters the namespace for good.

    Args:
        name: of our table, of family `inet`.
        netns: network namespace; empty: the thread's own.

    Raises:
        PointError: libnftables, the namespace or the capability is missing.
    """

    def __init__(self, name: str, netns: str) -> None:
        self._name = name
        self._commands = Library(netns)
        self._listings = Library()
        self._lookup = Lookup()

    def run(self, commands: str) -> None:
        """Run commands as one transaction.

        Raises:
            CommandError: nft refused; nothing was changed.
            PointError: the kernel refuses this process.
        """
        self._commands.run(commands)

    def list_table(self) -> table.Listing | None:
        """Return our table as it is, or None when there is none. O(elements)."""
        return self._list(f"list table inet {self._name}")

    def list_set(self, set: str) -> Mapping[Network, table.Entry]:
        """Return the entries of one set; none when it is not there. O(its elements)."""
        listing = self._list(f"list set inet {self._name} {set}")
        return {} if listing is None else listing.entries

    def _list(self, command: str) -> table.Listing | None:
        try:
            return table.from_json(self._listings.run(command, json=True))
        except CommandError as error:
            if "No such file or directory" in str(error):
                return None
            raise PointError(f"{command}: {error}") from error

    def find(self, nets: Iterable[Network]) -> dict[Network, table.Entry]:
        """Return the entries of these networks, those that are held: networks by listing, addresses by looking up."""
        found: dict[Network, table.Entry] = {}
        by_set: dict[str, list[Network]] = {}
        for net in nets:
            by_set.setdefault(table.set_of(net), []).append(net)
        for name, mine in by_set.items():
            if name.startswith("net") or len(mine) > _FIND_AT_MOST:
                found.update(self.list_set(name))
                continue
            for net in mine:
                held = self._lookup.find(self._name, name, net.network_address.packed)
                if held is not None:
                    found[net] = table.Entry(net, *table.owner(held.comment), held.expires_ms)
        return found

    def close(self) -> None:
        """Let go; the table stays."""
        self._commands.close()
        self._listings.close()
        self._lookup.close()
