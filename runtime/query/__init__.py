"""Questions in KQL: parsed once, answered by the embedded store or by Elasticsearch."""
