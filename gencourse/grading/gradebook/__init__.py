"""The gradebook: results, points by hand, reports for people, sheets for platforms."""
