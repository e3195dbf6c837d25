"""One file per enforcement point, each with an `ENFORCER`; found by `contract.plugins.load`."""
