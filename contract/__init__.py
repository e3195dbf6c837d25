"""What all parts of Opsonin agree on: records, ports, topics, ids, errors and the plugin loader.

Pure values and protocols; everything else may import this package and it imports none of them.
"""
