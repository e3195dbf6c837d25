"""nftables as the enforcer of that name needs it: the library's binding, and the table's text both ways."""
