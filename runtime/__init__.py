"""The only place that knows Kafka, Faust, Elasticsearch, SQLite, clocks, configuration and logging."""
