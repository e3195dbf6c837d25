"""One pure file per product, each with an `ADAPTER`; found by `contract.plugins.load`."""
