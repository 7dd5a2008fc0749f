"""The outside world: one call to Intouch, and which origins may be called at all."""
