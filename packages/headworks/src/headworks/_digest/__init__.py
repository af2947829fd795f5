"""The digest of a session: one hash over everything that its verdict can depend on."""
