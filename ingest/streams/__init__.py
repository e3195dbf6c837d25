"""What several sources share: framing, the bounded inbox, tailing, TLS. Not plugins."""
