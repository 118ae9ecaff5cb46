"""The metrics of the feed of changes."""

from chassis.observe.meters import Counter, Gauge, Histogram

FOLLOWERS = Gauge("feed_followers", "Followers that wait for changes in this process.").labels()
LAST = Gauge("feed_last", "The last number that this process knows of.").labels()
UNNUMBERED = Gauge("feed_unnumbered", "Committed changes without a number, when somebody last counted.").labels()
LAG_SECONDS = Histogram(
    "feed_lag_seconds", "Time from the writing of a change until this process could tell it to a waiting follower."
).labels()
TRIMMED = Counter(
    "feed_trimmed_total", "Changes that this process has deleted since they were old or too many."
).labels()
