"""What came out, in Elasticsearch: documents, templates, a bulk writer that loses nothing."""
