"""The maker, the checker and the observer by hand: what they publish, what they read, and how it is shown to people.

Used by the console script and the demo alike. It speaks to the pipeline through topics only, as any other client would:
no stage, and nothing of Faust, may be imported.
"""
