"""Tokens, sealing, signing and the digest. Pure but for key files; handed to the stages by `app`."""
