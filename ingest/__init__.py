"""Raw bytes to events: sources do the I/O, adapters know one product each, formats are shared."""
