"""Nouns and rules. Pure and synchronous: no Kafka, no HTTP, no clock, no chance, no environment, no logging."""
