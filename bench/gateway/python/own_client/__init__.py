"""The hand-written endpoint on this project's own HTTP client and process settings, served by `chassis.serve`."""
