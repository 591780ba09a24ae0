"""The worker process: one job at a time, messages as lines of JSON (docs/contracts.md, section 5).

`protocol` has the messages, `server` the loop and its threads, `progress` throttle and ETA, `jobs` what it can do.
Nothing here may import numpy or torch at module level: `hello` comes first.
"""
