"""The distributed host: what knows Kafka and Faust. Nothing here is imported until a role, topic or source of it is asked for."""
