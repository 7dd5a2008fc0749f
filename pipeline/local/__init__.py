"""To try the pipeline on one machine: a real Kafka, a stand-in for Intouch, the demo. Never imported by the worker."""
