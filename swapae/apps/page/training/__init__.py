"""The tab Train: a model of one's own, trained by `swapae train` in a process that outlives the page."""
