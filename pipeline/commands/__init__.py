"""The commands, one small module each: read the arguments, ask the right part, show what it said.

No rule of the pipeline may enter. Their parts are imported when a command runs, so that `--help` stays quick. What goes
wrong is raised, and becomes an exit code in one place, `pipeline.__main__`. What runs on one machine for trying it out
(`broker`, `demo`, `intouch`) is in `pipeline.local.commands`.
"""
